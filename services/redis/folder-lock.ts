// One process at a time works in a data folder. The lock ends with its holder, whatever ends it: no file to clean up by hand.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";

export interface FolderLock {
  release(): void;
}

export interface LockOptions {
  readonly folder: string;
  /** A holder that was just killed may need a moment to be gone. */
  readonly waitMs: number;
  readonly clock: Clock;
}

const RETRY_MS = 50;
const SQLITE_BUSY = 5;

/** Throws CONFIG_INVALID when another process keeps it. */
export async function lockFolder({ folder, waitMs, clock }: LockOptions): Promise<FolderLock> {
  const end = clock.monotonic() + waitMs;
  for (;;) {
    const lock = tryLock(join(folder, "lock"));
    if (lock !== undefined) return lock;
    if (clock.monotonic() >= end) {
      throw new AntiphonError("CONFIG_INVALID", `Another antiphon works in ${folder}: stop it, or use another folder.`);
    }
    await clock.sleep(RETRY_MS);
  }
}

/** SQLite's file lock is the one lock of the kernel that Node offers on every system; there is nothing in the database. */
function tryLock(file: string): FolderLock | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec("BEGIN EXCLUSIVE");
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    return undefined;
  }
}
