// The tokens that let somebody in: those of the settings and those of a file, which is read again when it changes.
//
// A file that cannot be read, or a line of it that is no token, lets nobody in. All secrets are compared, always, so how
// long it takes says nothing.

import { createHash, timingSafeEqual } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { type AdminToken, readToken } from "../../config/access.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Emit } from "../../telemetry/events.ts";

export interface TokensOptions {
  readonly tokens: readonly AdminToken[];
  readonly file: string | undefined;
  readonly clock: Pick<Clock, "monotonic">;
  readonly emit: Emit;
}

interface Known {
  readonly token: AdminToken;
  readonly digest: Buffer;
}

const LOOK_MS = 2_000;
const FILE_BYTES_MAX = 1024 * 1024;
const SECRET_CHARS_MAX = 1024;

export class Tokens {
  readonly #options: TokensOptions;
  readonly #fixed: readonly Known[];
  #ofFile: readonly Known[] = [];
  /** When it was looked at last, and what it was then. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #version = "";
  #looking: Promise<void> | undefined;

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#fixed = options.tokens.map(known);
  }

  /** Whose secret it is. */
  async of(secret: string): Promise<AdminToken | undefined> {
    if (secret.length > SECRET_CHARS_MAX) return undefined;
    const claimed = digest(secret);
    let found: AdminToken | undefined;
    for (const { token, digest: right } of await this.#all()) if (timingSafeEqual(right, claimed)) found ??= token;
    return found;
  }

  async named(name: string): Promise<AdminToken | undefined> {
    return (await this.#all()).find(({ token }) => token.name === name)?.token;
  }

  async #all(): Promise<readonly Known[]> {
    const { file, clock } = this.#options;
    if (file === undefined) return this.#fixed;
    if (clock.monotonic() - this.#lookedAtMs >= LOOK_MS) {
      this.#looking ??= this.#look(file).finally(() => (this.#looking = undefined));
      await this.#looking;
    }
    return [...this.#fixed, ...this.#ofFile];
  }

  async #look(file: string): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(file);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version !== this.#version) {
        if (size > FILE_BYTES_MAX) throw new Error("It is larger than 1 MiB.");
        this.#take(await readFile(file, "utf8"));
      }
      this.#version = version;
    } catch (error) {
      this.#ofFile = [];
      if (this.#version !== "unreadable") this.#tell(String(error));
      this.#version = "unreadable";
    }
    this.#lookedAtMs = this.#options.clock.monotonic();
  }

  #take(text: string): void {
    const lines = text.split(/\r?\n/).map((line, index) => ({ number: index + 1, line: line.trim() }));
    const written = lines.filter(({ line }) => line !== "" && !line.startsWith("#"));
    const names = new Set(this.#fixed.map(({ token }) => token.name));
    const found: Known[] = [];
    for (const { number, line } of written) {
      const token = readToken(line);
      if (token === undefined)
        this.#tell(`Line ${number} is not name:role:secret, with a secret of at least 16 characters.`);
      else if (names.has(token.name)) this.#tell(`Line ${number} has the name of another token.`);
      else {
        names.add(token.name);
        found.push(known(token));
      }
    }
    this.#ofFile = found;
  }

  #tell(problem: string): void {
    this.#options.emit("admin.tokens-unread", { file: this.#options.file ?? "", problem });
  }
}

function known(token: AdminToken): Known {
  return { token, digest: digest(token.secret) };
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
