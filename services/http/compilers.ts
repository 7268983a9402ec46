// Compiles the schemas of a route at its first request, and not those of all routes when the app is made: that would hold the main
// thread of a master for longer than a Lease bears. A server whose routes have none does not even load the compilers.

import { createRequire } from "node:module";
import type { FastifyServerOptions } from "fastify";

type Compilers = NonNullable<NonNullable<FastifyServerOptions["schemaController"]>["compilersFactory"]>;
/** Fastify's own, which it does not give out: what is known of them is this. */
type Build<F> = (external: unknown, options: unknown) => (route: object) => F;
type Validate = ((value: unknown) => unknown) & { readonly errors?: readonly unknown[] | null };
type Serialize = (value: unknown) => string;

export function lazyCompilers(): Compilers {
  const require = createRequire(import.meta.resolve("fastify"));
  const load = <F>(name: string): Build<F> => (require(name) as () => Build<F>)();
  const buildValidator: Build<(value: unknown) => unknown> = (external, options) => {
    const compile = once(() => load<Validate>("@fastify/ajv-compiler")(external, options));
    return (route) => {
      const validate = once(() => compile()(route));
      return (value) => (validate()(value) === false ? { error: validate().errors } : true);
    };
  };
  const buildSerializer: Build<Serialize> = (external, options) => {
    const compile = once(() => load<Serialize>("@fastify/fast-json-stringify-compiler")(external, options));
    return (route) => {
      const serialize = once(() => compile()(route));
      return (value) => serialize()(value);
    };
  };
  return { buildValidator, buildSerializer } as unknown as Compilers;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
