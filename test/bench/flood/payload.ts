// A webhook as GitHub sends it for a push of many commits, of a given size.

import { readFileSync } from "node:fs";

const FIXTURE = new URL("../../fixtures/github/push.json", import.meta.url);
const FILES_PER_COMMIT = 6;

interface Commit {
  readonly id: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** JSON of exactly so many bytes: the push of the tests' fixtures with more commits in it. */
export function pushPayload(bytes: number): Buffer {
  const push = JSON.parse(readFileSync(FIXTURE, "utf8")) as { commits: Commit[]; head_commit: Commit };
  const model = push.head_commit;
  const size = (): number => Buffer.byteLength(JSON.stringify(push));
  push.commits = [];
  while (size() < bytes) push.commits.push(commitLike(model, push.commits.length));
  push.commits.pop();
  const { message } = push.head_commit;
  push.head_commit = { ...push.head_commit, message: message + " ".repeat(bytes - size()) };
  return Buffer.from(JSON.stringify(push));
}

function commitLike(model: Commit, index: number): Commit {
  const number = String(index).padStart(4, "0");
  const files = Array.from({ length: FILES_PER_COMMIT }, (_, file) => `services/part-${number}/source/file-${file}.ts`);
  return {
    ...model,
    id: number.repeat(10),
    message: `Change ${number}: what it is for, in a sentence\n\nAnd "why", over\nsome lines.`,
    added: files.slice(0, 2),
    removed: files.slice(2, 3),
    modified: files.slice(3),
  };
}
