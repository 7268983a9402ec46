// What is done to many jobs at once: those that are chosen, or all that fit the filters. First it is counted.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { BulkAnswer, BulkBody } from "../../admin/api-bot.ts";
import { ask } from "../ask.ts";
import { Form, showDialog } from "../dialog.tsx";
import { many, wholeCount } from "../format.ts";
import type { IconName } from "../icon.tsx";
import { Button } from "../parts.tsx";
import { say } from "../toast.tsx";
import { readAgain } from "../watch.ts";
import type { Wanted } from "./filters.tsx";

type Action = BulkBody["action"];

interface Words {
  readonly verb: string;
  readonly past: string;
  readonly icon: IconName;
  readonly isDead: boolean;
  readonly note: string;
}

const ACTIONS: Readonly<Record<Action, Words>> = {
  retry: {
    verb: "Retry",
    past: "will run again",
    icon: "retry",
    isDead: true,
    note: "They run again, as if they had never failed.",
  },
  purge: { verb: "Delete", past: "deleted", icon: "bin", isDead: true, note: "They are forgotten." },
  cancel: {
    verb: "Cancel",
    past: "cancelled",
    icon: "stop",
    isDead: false,
    note: "Those that wait never run; those that run are ended.",
  },
  reschedule: {
    verb: "Reschedule",
    past: "rescheduled",
    icon: "clock",
    isDead: false,
    note: "Those that wait are given another time.",
  },
};
const ROUNDS_MAX = 1000;

interface BulkProps {
  readonly wanted: Wanted;
  readonly chosen: ReadonlySet<string>;
  readonly isEmpty: boolean;
  readonly done: () => void;
}

export function Bulk({ wanted, chosen, isEmpty, done }: BulkProps): JSX.Element | null {
  const { state = "" } = wanted;
  if (state === "finished" || isEmpty) return null;
  const names = (Object.keys(ACTIONS) as Action[]).filter((name) =>
    chosen.size > 0 ? fits(name, state) : state !== "" && fits(name, state),
  );
  if (names.length === 0) return null;
  const whom = chosen.size > 0 ? `${many(chosen.size, "job")} chosen` : "All that fit";
  return (
    <div class="row bulk" role="group" aria-label="Actions on many">
      <span>{whom}:</span>
      {names.map((name) => (
        <Button
          key={name}
          icon={ACTIONS[name].icon}
          kind={name === "purge" || name === "cancel" ? "danger" : "quiet"}
          label={`${ACTIONS[name].verb} ${chosen.size > 0 ? "those chosen" : "all that fit"}`}
          onClick={() =>
            showDialog((close) => (
              <Count name={name} target={targetOf(name, wanted, chosen)} close={close} done={done} />
            ))
          }
        >
          {ACTIONS[name].verb}…
        </Button>
      ))}
    </div>
  );
}

/** Without a state there may be dead ones and others among those chosen; each action takes what is its. */
function fits(name: Action, state: string): boolean {
  if (state === "") return true;
  return ACTIONS[name].isDead === (state === "dead") && (name !== "reschedule" || state !== "claimed");
}

type Target = Pick<BulkBody, "action" | "ids" | "filter">;

function targetOf(action: Action, { state, ...filter }: Wanted, chosen: ReadonlySet<string>): Target {
  if (chosen.size > 0) return { action, ids: [...chosen] };
  const states = ACTIONS[action].isDead ? {} : { states: [state as "waiting"] };
  return { action, filter: { ...filter, ...states } };
}

interface CountProps {
  readonly name: Action;
  readonly target: Target;
  readonly close: () => void;
  readonly done: () => void;
}

/** Counts before it asks. */
function Count({ name, target, close, done }: CountProps): JSX.Element {
  const [counted, setCounted] = useState<BulkAnswer | Error | undefined>();
  const { verb, note, isDead } = ACTIONS[name];
  useEffect(() => {
    ask<BulkAnswer>("POST", "bulk", { ...target, dryRun: true, ...(name === "reschedule" && { delay: "0s" }) }).then(
      setCounted,
      setCounted,
    );
  }, []);
  const answer = counted instanceof Error ? undefined : counted;
  const shown =
    answer === undefined ? "" : `${answer.cursor === undefined ? "" : "at least "}${wholeCount(answer.count)}`;
  const act = async (form: FormData): Promise<void> => {
    if (counted instanceof Error) throw counted;
    await run(target, name === "reschedule" ? String(form.get("delay")) : undefined);
    done();
  };
  return (
    <Form
      title={`${verb} many`}
      verb={answer === undefined ? "Counting…" : `${verb} ${shown}`}
      danger={name !== "retry"}
      close={close}
      act={act}
    >
      <p aria-live="polite" class="counted">
        {countText(counted, shown, isDead ? "dead job" : "job")}
      </p>
      <p class="note">
        {note} {name === "purge" ? "This can be undone for some minutes." : "This cannot be undone."}
      </p>
      {name === "reschedule" && (
        <label>
          So long from now
          <input name="delay" required defaultValue="10m" pattern="\d+(\.\d+)?(ms|s|m|h|d)" />
        </label>
      )}
    </Form>
  );
}

function countText(counted: BulkAnswer | Error | undefined, shown: string, what: string): ComponentChildren {
  if (counted === undefined) return "They are being counted…";
  if (counted instanceof Error) return counted.message;
  const unknown =
    counted.unknown.length === 0 ? "" : ` ${counted.unknown.length} of those chosen are not of this kind any more.`;
  return (
    <>
      <b>{shown}</b> {counted.count === 1 ? `${what} fits` : `${what}s fit`}.{unknown}
    </>
  );
}

/** As many calls as it takes: each does a bounded number. */
async function run(target: Target, delay: string | undefined): Promise<void> {
  let [count, cursor]: [number, string | undefined] = [0, undefined];
  const tokens: string[] = [];
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const body: BulkBody = {
      ...target,
      ...(delay !== undefined && { delay }),
      ...(cursor !== undefined && { cursor }),
    };
    const answer: BulkAnswer = await ask<BulkAnswer>("POST", "bulk", body);
    count += answer.count;
    cursor = answer.cursor;
    if (answer.undo !== undefined) tokens.push(answer.undo);
    if (cursor === undefined) break;
  }
  say(
    `${many(count, "job")} ${ACTIONS[target.action].past}`,
    tokens.length === 0 ? {} : { undo: () => void takeBack(tokens) },
  );
  readAgain();
}

async function takeBack(tokens: readonly string[]): Promise<void> {
  let restored = 0;
  try {
    for (const token of tokens)
      restored += (await ask<{ count: number }>("POST", `undo/${encodeURIComponent(token)}`, {})).count;
    say(`${many(restored, "job")} as before`);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), { isBad: true });
  }
  readAgain();
}
