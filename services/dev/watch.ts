// Tells when handlers or settings were saved: one call for a burst of changes, whatever the editor does on saving.

import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

export interface WatchOptions {
  /** Folders and files; what does not exist is left out. */
  readonly paths: readonly string[];
  /** So long nothing more may change before `onChange` is called. */
  readonly settleMs: number;
  /** With the names of files that changed, at most ten. */
  onChange(files: readonly string[]): void;
}

const NAMES_MAX = 10;
/** Editors' own files, and what no handler is made of. */
const IGNORED = /(^|[\\/])(\.|node_modules[\\/]|4913$)|~$|\.(swp|swx|tmp|log|test\.ts|spec\.ts)$/;

export class Watch {
  readonly #options: WatchOptions;
  readonly #watchers: FSWatcher[] = [];
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    for (const path of this.#options.paths) {
      const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
      if (isFolder === undefined) continue;
      // Editors that save by renaming leave a watched file without a watcher, so a file's folder is watched instead.
      const folder = isFolder ? path : dirname(path);
      const watcher = watch(folder, { recursive: isFolder }, (_kind, name) => {
        if (name !== null && (isFolder ? !IGNORED.test(name) : name === basename(path))) this.#noticed(name);
      });
      watcher.on("error", () => watcher.close());
      this.#watchers.push(watcher);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #noticed(name: string): void {
    if (this.#changed.size < NAMES_MAX) this.#changed.add(name);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const files = [...this.#changed].sort();
      this.#changed.clear();
      this.#options.onChange(files);
    }, this.#options.settleMs);
  }
}
