// How types follow from what an author writes: schemas, command patterns, paths. Types only.

import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Any Standard Schema (zod, valibot, arktype …); no schema package is known by name. */
export type Schema = StandardSchemaV1;

export type Out<S> = S extends Schema ? StandardSchemaV1.InferOutput<S> : never;
export type In<S> = S extends Schema ? StandardSchemaV1.InferInput<S> : never;
/** The schema's output, or `D` where there is no schema. */
export type Or<S, D> = S extends Schema ? Out<S> : D;

export type Flat<T> = { [K in keyof T]: T[K] };

type Word<P extends string> = P extends `${infer A} ${infer B}` ? A | Word<B> : P;
/** `<text...>` takes the rest of the line; its name is `text`. */
type Name<N extends string> = N extends `${infer Head}...` ? Head : N;
/** The arguments of a command pattern: `"deploy <app> [env]"` gives `{ app: string; env?: string }`. */
export type PatternArgs<P extends string> = Flat<
  { [W in Word<P> as W extends `<${infer N}>` ? Name<N> : never]: string } & {
    [W in Word<P> as W extends `[${infer N}]` ? Name<N> : never]?: string | undefined;
  }
>;
export type Args<P extends string, S> = S extends Schema ? Out<S> : PatternArgs<P>;

/** A schema of arguments may only name arguments of the pattern. */
export type OnlyKnown<P extends string, S> =
  Exclude<keyof In<S>, keyof PatternArgs<P>> extends never
    ? unknown
    : { readonly unknownArguments: Exclude<keyof In<S>, keyof PatternArgs<P>> };

type Segment<P extends string> = P extends `${infer A}/${infer B}` ? Segment<A> | Segment<B> : P;
/** The parameters of a path: `"/hooks/:repo"` gives `{ repo: string }`. */
export type PathParams<P extends string> = Flat<{
  readonly [W in Segment<P> as W extends `:${infer N}` ? N : never]: string;
}>;

/** Query or headers without a schema. */
export type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;
