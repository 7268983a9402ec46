// Groups are changed in chat by admins; which exist, and who is in a fixed one, is decided by the configuration.

import { describe, expect, test } from "vitest";
import groups from "../../../services/builtin/groups.ts";
import type { Groups } from "../../../services/sdk/index.ts";
import { routesOf, talk } from "./talk.ts";

/** Two groups: `ops` is fixed, `deployers` can be changed. */
function twoGroups(): Groups & { readonly deployers: Set<string> } {
  const deployers = new Set(["web:ann"]);
  const change = (group: string, does: () => boolean) => async () => {
    if (group === "ops") return "fixed" as const;
    if (group !== "deployers") return "unknown" as const;
    return does() ? ("changed" as const) : ("unchanged" as const);
  };
  return {
    deployers,
    list: async () => [
      { name: "deployers", fixed: false },
      { name: "ops", fixed: true },
    ],
    members: async (group) => ({ deployers: [...deployers], ops: [] })[group],
    add: (user, group) => change(group, () => deployers.size < deployers.add(user).size)(),
    remove: (user, group) => change(group, () => deployers.delete(user))(),
  };
}

const none: Groups = { ...twoGroups(), list: async () => [] };

async function says(text: string, book: Groups, user = "web:ann"): Promise<string | undefined> {
  return (await talk(groups, text, { groups: book, user }))[0]?.text;
}

test("every command is for admins only", () => {
  expect(routesOf(groups).map((route) => route.restrictTo)).toEqual([["admins"], ["admins"], ["admins"], ["admins"]]);
});

describe("looking", () => {
  test("at all groups", async () => {
    expect(await says("!groups", twoGroups())).toMatch(/^Groups: deployers, ops \(fixed\)\nSay "antiphon groups list/);
  });

  test("at the members", async () => {
    expect(await says("!groups list", twoGroups())).toBe("deployers: web:ann\nops (fixed): nobody");
    expect(await says("!groups list deployers", twoGroups())).toBe("deployers: web:ann");
    expect(await says("!groups list nope", twoGroups())).toContain('There is no group "nope"');
  });

  test("when none is declared", async () => {
    expect(await says("!groups", none)).toContain("No groups are declared");
    expect(await says("!groups list", none)).toContain("No groups are declared");
  });

  test("a wrong word is answered with how it is used", async () => {
    expect(await says("!groups ad ann deployers", twoGroups())).toContain("groups add USER GROUP");
  });
});

describe("changing", () => {
  test("adds and removes people, and says when there was nothing to do", async () => {
    const book = twoGroups();
    expect(await says("!groups add web:bob deployers", book)).toBe("web:bob is in deployers now.");
    expect(await says("!groups add web:bob deployers", book)).toBe("web:bob is in deployers already.");
    expect([...book.deployers]).toEqual(["web:ann", "web:bob"]);
    expect(await says("!groups remove web:bob deployers", book)).toBe("web:bob is no longer in deployers.");
    expect(await says("!groups remove web:bob deployers", book)).toBe("web:bob is not in deployers.");
  });

  test("a person without a chat service is of the asker's own", async () => {
    const book = twoGroups();
    await says("!groups add bob deployers", book);
    await says("!groups add @eve deployers", book, "irc:root");
    expect([...book.deployers]).toEqual(["web:ann", "web:bob", "irc:eve"]);
  });

  test("a group that is fixed or unknown is not changed, and that is said", async () => {
    for (const verb of ["add", "remove"]) {
      expect(await says(`!groups ${verb} bob ops`, twoGroups())).toContain("ops is fixed by the configuration");
      expect(await says(`!groups ${verb} bob nope`, twoGroups())).toContain('There is no group "nope"');
    }
  });
});
