// `antiphon new`: the files that an author begins with, from templates/ beside the program.

import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, UsageError } from "./command.ts";

const TEMPLATES = fileURLToPath(new URL("../../templates/", import.meta.url));
const NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** What the templates are called, in each way of writing a name. */
const EXAMPLE = "example";

interface Kind {
  /** Where it goes when nothing else is said. */
  folder(name: string): string;
  readonly next: (folder: string, name: string) => string;
}

const KINDS: Readonly<Record<string, Kind>> = {
  adapter: {
    folder: (name) => `./${name}`,
    next: (folder) => `Its README.md says what is where. ANTIPHON_ADAPTERS=web,${folder} takes it along.`,
  },
  handler: {
    folder: () => "./handlers",
    next: (folder, name) => `${folder} is read at the next start (ANTIPHON_HANDLERS); then: antiphon ${name} world`,
  },
};

export const scaffold: Command = {
  name: "new",
  words: "adapter|handler NAME [FOLDER]",
  help: "Writes an adapter or a handler to begin with, and its tests. Existing files are left alone.",
  options: {},
  async run({ words, cwd, print }) {
    const [kindName = "", name = "", given, ...more] = words;
    const kind = Object.hasOwn(KINDS, kindName) ? KINDS[kindName] : undefined;
    if (kind === undefined || more.length > 0)
      throw new UsageError("Say: antiphon new adapter NAME [FOLDER], or antiphon new handler NAME [FOLDER].");
    if (!NAME.test(name))
      throw new UsageError("A name is a small letter and then at most 31 small letters, digits or hyphens.");
    const folder = given ?? kind.folder(name);
    const files = await planned(join(TEMPLATES, kindName), resolve(cwd, folder), name);
    const there = await existing(files.map(({ to }) => to));
    if (there.length > 0) {
      for (const file of there) print(`${relative(cwd, file)} is there already; nothing is written.`);
      return 1;
    }
    for (const { from, to } of files) await write(from, to, name);
    for (const { to } of files) print(relative(cwd, to));
    print(kind.next(folder.startsWith(".") || folder.startsWith("/") ? folder : `./${folder}`, name));
    return 0;
  },
};

async function planned(template: string, target: string, name: string): Promise<{ from: string; to: string }[]> {
  const files = await readdir(template);
  return files.sort().map((file) => ({ from: join(template, file), to: join(target, file.replace(EXAMPLE, name)) }));
}

async function existing(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) if (await stat(file).catch(() => undefined)) found.push(file);
  return found;
}

/** Whole or not at all, so that an interrupted run can be repeated. */
async function write(from: string, to: string, name: string): Promise<void> {
  const half = `${to}.new`;
  await mkdir(dirname(to), { recursive: true });
  await writeFile(half, renamed(await readFile(from, "utf8"), name));
  await rename(half, to);
}

/** `hip-chat`, `HipChat` and `HIP_CHAT` in place of `example`, `Example` and `EXAMPLE`; `import` names know no hyphen. */
function renamed(text: string, name: string): string {
  const pascal = name.replace(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const camel = pascal.slice(0, 1).toLowerCase() + pascal.slice(1);
  return text
    .replace(/\b(import|default|handlers: \[)( ?)example\b/g, `$1$2${camel}`)
    .replaceAll("EXAMPLE", name.toUpperCase().replaceAll("-", "_"))
    .replaceAll("Example", pascal)
    .replaceAll(EXAMPLE, name);
}
