// The words of the command line: what is understood, what is refused with a hint, and what the help says.

import { expect, test } from "vitest";
import { columns, type Command, helpOf, parseWords, UsageError } from "../../../services/cli/command.ts";
import { commandList, findCommand } from "../../../services/cli/commands.ts";

const command: Command = {
  name: "greet",
  help: "Says hello.",
  options: {
    url: { type: "string", value: "URL", help: "where" },
    json: { type: "boolean", help: "for machines" },
  },
  run: async () => 0,
};

test("options are read in both spellings", () => {
  expect(parseWords(command, ["--url", "x", "--json"]).options).toMatchObject({ url: "x", json: true });
  expect(parseWords(command, ["--url=y"]).options).toMatchObject({ url: "y" });
  expect(parseWords(command, ["-h"]).options).toMatchObject({ help: true });
});

test("an unknown option is refused with the nearest one", () => {
  expect(() => parseWords(command, ["--jsn"])).toThrow("greet has no option --jsn. Did you mean --json?");
  expect(() => parseWords(command, ["--zzzzzzzz"])).toThrow(UsageError);
});

test("an option without its value, and words where none belong, are refused", () => {
  expect(() => parseWords(command, ["--url"])).toThrow(UsageError);
  expect(() => parseWords(command, ["--json=yes"])).toThrow(UsageError);
  expect(() => parseWords(command, ["hello"])).toThrow("takes no words");
  expect(parseWords({ ...command, words: "[ls]" }, ["ls"]).words).toEqual(["ls"]);
});

test("the help names every option, also those that every command has", () => {
  const help = helpOf(command);
  for (const part of ["antiphon greet", "Says hello.", "--url URL", "--json", "--config FILE", "--help"])
    expect(help).toContain(part);
});

test("every command in the list loads under its own name and explains itself", async () => {
  const names = [...commandList().matchAll(/^ {2}antiphon ([\w-]+)/gm)].map((match) => match[1] ?? "");
  expect(names).toEqual(expect.arrayContaining(["dev", "master", "worker", "shell", "validate", "queue", "leader"]));
  for (const name of names) {
    const found = await findCommand(name);
    expect(found.name).toBe(name);
    expect(helpOf(found)).toContain(`antiphon ${name}`);
  }
});

test("an unknown command is refused with the nearest one", async () => {
  await expect(findCommand("wroker")).rejects.toThrow("There is no command wroker. Did you mean worker?");
  await expect(findCommand("constructor")).rejects.toThrow(UsageError);
});

test("columns are as wide as their widest cell", () => {
  expect(
    columns([
      ["a", "bb"],
      ["ccc", "d"],
    ]),
  ).toBe("  a    bb\n  ccc  d");
});
