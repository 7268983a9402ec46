// What went wrong in a bot under test. Production survives a handler that throws; a test must hear of it.

import type { Emit, EventFields, EventName } from "../telemetry/events.ts";

export interface Failure {
  /** The id of the route; of what is no route's fault, the part that failed. */
  readonly route: string;
  /** What was thrown, where anything was. */
  readonly error: unknown;
  readonly text: string;
}

type Expected = string | RegExp;

export class Failures {
  /** All of them, expected or not, in order. */
  readonly all: Failure[] = [];
  readonly #expected: Expected[] = [];
  /** Not yet thrown at the test. */
  #unthrown: Failure[] = [];

  /** A route's id, or what `<route>: <text>` must fit. For what fails from now on. */
  expect(which: Expected): void {
    this.#expected.push(which);
  }

  readonly hear: Emit = (name, fields) => {
    const failure = failureOf(name, fields);
    if (failure === undefined) return;
    const isKnown = name === "run.dead" && this.all.some(({ text }) => failure.text.includes(text));
    if (isKnown) return;
    this.all.push(failure);
    if (!this.#expected.some((which) => isMeant(failure, which))) this.#unthrown.push(failure);
  };

  /** Throws what nobody expected, once. */
  throw(): void {
    const errors = this.#unthrown.map(({ route, text, error: cause }) => new Error(`${route}: ${text}`, { cause }));
    this.#unthrown = [];
    if (errors.length > 1) throw new AggregateError(errors, errors.map(({ message }) => message).join("\n"));
    if (errors[0] !== undefined) throw errors[0];
  }
}

function isMeant(failure: Failure, which: Expected): boolean {
  if (typeof which === "string") return which === failure.route;
  return new RegExp(which.source, which.flags.replace(/[gy]/g, "")).test(`${failure.route}: ${failure.text}`);
}

function failureOf<N extends EventName>(name: N, fields: EventFields[N]): Failure | undefined {
  switch (name) {
    case "run.failed": {
      const { route, error } = fields as EventFields["run.failed"];
      return { route, error, text: textOf(error) };
    }
    case "run.dead": {
      const { route, reason } = fields as EventFields["run.dead"];
      return { route, error: undefined, text: `dead letter: ${reason}` };
    }
    case "http.failed": {
      const { path, error } = fields as EventFields["http.failed"];
      return { route: path, error, text: textOf(error) };
    }
    case "part.failed": {
      const { part, error } = fields as EventFields["part.failed"];
      return { route: part, error, text: textOf(error) };
    }
    case "action.failed": {
      const { unit, kind, error } = fields as EventFields["action.failed"];
      return kind === "dead" ? { route: unit, error: undefined, text: `could not be said: ${error}` } : undefined;
    }
    default:
      return undefined;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
