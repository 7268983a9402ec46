// Whether a value survives JSON: what JSON would drop or change is found before it is stored, with its path.

const PROBLEMS_MAX = 10;
const DEPTH_MAX = 200;
/** Each value is at least a byte of JSON, so more of them are too large anyway. */
const VALUES_MAX = 1024 * 1024;

/** What JSON would change in `value`, such as `input.at is a Date`; empty when it would give back an equal value. */
export function jsonProblems(name: string, value: unknown): string[] {
  const look = new Look();
  look.at(value, name, 0);
  if (look.isTooLarge) look.problems.push(`${name} has more than ${VALUES_MAX} values`);
  return look.problems;
}

class Look {
  readonly problems: string[] = [];
  /** What the present value lies in. */
  readonly #around = new Set<object>();
  #values = 0;

  at(value: unknown, path: string, depth: number): void {
    if (!this.#goesOn) return;
    this.#values++;
    if (typeof value === "object" && value !== null) this.#object(value, path, depth);
    else this.#primitive(value, path);
  }

  #primitive(value: unknown, path: string): void {
    const kind = typeof value;
    if (kind === "number" && !Number.isFinite(value)) this.#tell(path, `is ${String(value)}`);
    else if (kind === "bigint") this.#tell(path, "is a BigInt");
    else if (kind === "function" || kind === "symbol" || kind === "undefined")
      this.#tell(path, kind === "undefined" ? "is undefined" : `is a ${kind}`);
  }

  #object(value: object, path: string, depth: number): void {
    if (this.#around.has(value)) return this.#tell(path, "contains itself");
    if (depth > DEPTH_MAX) return this.#tell(path, `is nested deeper than ${DEPTH_MAX} levels`);
    this.#around.add(value);
    if (Array.isArray(value)) this.#array(value, path, depth);
    else if (!isPlain(value)) this.#tell(path, `is a ${classOf(value)}`);
    else this.#record(value, path, depth);
    this.#around.delete(value);
  }

  #array(list: readonly unknown[], path: string, depth: number): void {
    for (let index = 0; index < list.length && this.#goesOn; index++)
      this.at(list[index], `${path}[${index}]`, depth + 1);
  }

  /** A property that is undefined is left out by JSON, as if it had not been written: that changes nothing for a reader. */
  #record(record: object, path: string, depth: number): void {
    if (Object.getOwnPropertySymbols(record).length > 0) this.#tell(path, "has a symbol for a key");
    if ("toJSON" in record && typeof record.toJSON === "function") this.#tell(path, "has a toJSON of its own");
    for (const [key, value] of Object.entries(record)) {
      if (!this.#goesOn) return;
      if (value !== undefined) this.at(value, `${path}${step(key)}`, depth + 1);
    }
  }

  get isTooLarge(): boolean {
    return this.#values > VALUES_MAX;
  }

  get #goesOn(): boolean {
    return this.problems.length < PROBLEMS_MAX && !this.isTooLarge;
  }

  #tell(path: string, what: string): void {
    this.problems.push(`${path.length > 200 ? `…${path.slice(-199)}` : path} ${what}`);
  }
}

function step(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Also an object of another realm, and one without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function classOf(value: object): string {
  const { name } = (value.constructor ?? {}) as { readonly name?: unknown };
  return typeof name === "string" && name !== "" ? name : "class instance";
}
