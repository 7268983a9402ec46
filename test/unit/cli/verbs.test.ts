// The words of the commands with verbs: what is a wrong use is said before anything is asked of Redis.

import { expect, test } from "vitest";
import { helpOf, parseWords, UsageError } from "../../../services/cli/command.ts";
import { findCommand } from "../../../services/cli/commands.ts";

async function run(name: string, ...args: readonly string[]): Promise<number> {
  const command = await findCommand(name);
  return command.run({
    ...parseWords(command, args),
    env: {},
    cwd: "/",
    stopping: AbortSignal.abort(),
    print: () => {},
    ready: () => {},
    readConfig: () => Promise.reject(new Error("asked")),
  });
}

test.each([
  ["queue pause", "queue pause takes NAME"],
  ["queue pause a b", "queue pause takes NAME"],
  ["queue ls default", "queue ls takes no words, and got default"],
  ["queue ls --route x", "queue ls has no option --route"],
  ["queue pause default --route a --key b", "exclude each other"],
  ["queue limit default", "--rate, --concurrency or --off"],
  ["queue limit default --rate many", "e.g. 100/1m"],
  ["queue limit default --rate 5/0s", "e.g. 100/1m"],
  ["queue limit default --concurrency 0", "a whole number from 1"],
  ["queue limit default --off --rate 1/1s", "--off goes without"],
  ["queue show default --limit 5000", "from 1 to 1000"],
  ["job show", "job show takes ID"],
  ["job lss", "job knows no lss. Did you mean ls?"],
  ["job ls --older soon", "--older takes a duration"],
  ["job ls --state alive", "not alive"],
  ["job ls --state dead --running", "exclude each other"],
  ["job ls --input {}", "job ls has no option --input"],
  ["job enqueue x --input {", "--input takes JSON"],
  ["job enqueue x --class 4", "--class takes 0, 1, 2 or 3"],
  ["job enqueue x --at tomorrow", "--at takes a time"],
  ["job enqueue x --until end", "go with --unique"],
  ["job edit x", "job edit takes --input or --class"],
  ["job reschedule x --delay 1s --at 2026-01-01", "--delay or --at"],
  ["job reschedule x", "--delay or --at"],
  ["job kill", "job kill takes ID"],
  ["dead retry", "takes ids, or filters such as --route, or --all"],
  ["dead purge x --all", "takes ids, or filters such as --route, or --all"],
  ["dead purge x --route y", "takes ids, or filters such as --route, or --all"],
  ["dead ls --all", "dead ls has no option --all"],
  ["worker quiet", "names of workers, or --all"],
  ["worker dance", "worker knows no dance"],
  ["worker --all", "only with a verb"],
  ["worker ls --dev", "worker ls has no option --dev"],
  ["doctor now", "doctor takes no words"],
])("%s is a wrong use, and what is right is said", async (line, said) => {
  const [name = "", ...args] = line.split(" ");
  const ran = run(name, ...args);
  await expect(ran).rejects.toThrow(said);
  await expect(ran).rejects.toBeInstanceOf(UsageError);
});

test.each([
  "queue",
  "queue show default --limit 5",
  "queue limit default --rate 100/1m --burst 5 --concurrency 3",
  "queue limit default --off",
  "job",
  "job ls --state waiting,delayed --older 5m",
  "job enqueue x --input {} --unique y --until end --repeat debounce --after a,b --lanes 2",
  "job reschedule x --at 2026-01-01T09:00:00Z",
  "job delete a b c",
  "dead",
  "dead retry a b",
  "dead retry --route x --older 1d",
  "dead purge --all --queue default",
  "worker ls",
  "worker stop --all",
  "doctor --repair",
])("%s is understood", async (line) => {
  const [name = "", ...args] = line.split(" ");
  await expect(run(name, ...args)).rejects.toThrow("asked");
});

test("the help of a command names its verbs, and which of them have an option", async () => {
  const help = helpOf(await findCommand("queue"));
  expect(help).toMatch(/^antiphon queue ls\|show\|pause\|resume\|limit \[options\]/);
  expect(help).toMatch(/^ {2}pause NAME +nothing new/m);
  expect(help).toMatch(/--route ID .*\[pause, resume\]/);
});
