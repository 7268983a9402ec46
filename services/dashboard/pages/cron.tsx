// Cron: what comes due when, and what an operator changes about it.

import type { JSX } from "preact";
import type { Schedule } from "../../admin/api-bot.ts";
import { act, perform } from "../act.ts";
import { part } from "../ask.ts";
import { confirm } from "../dialog.tsx";
import { useFetched } from "../fetched.ts";
import { duration } from "../format.ts";
import { hrefOf } from "../link.ts";
import { Badge, Button, Loaded, Panel, QueueLink, RouteLink } from "../parts.tsx";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";
import { addSchedule, editSchedule } from "./cron-forms.tsx";

export function Cron(): JSX.Element {
  const fetched = useFetched<{ items: Schedule[]; cursor?: string }>("schedules", { limit: 200 });
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Cron</h1>
        <div class="row push">
          <Button icon="plus" onClick={addSchedule}>
            Add
          </Button>
        </div>
      </header>
      <Panel title="Schedules">
        <Loaded of={fetched}>{({ items }) => <List rows={items} />}</Loaded>
      </Panel>
    </>
  );
}

function List({ rows }: { rows: readonly Schedule[] }): JSX.Element {
  return (
    <Table
      label="Schedules"
      rows={rows}
      keyOf={({ id }) => id}
      empty="Nothing is scheduled"
      emptyNote="Schedules are r.cron and r.every in handlers, and those added here."
      columns={[
        {
          name: "Schedule",
          cell: ({ id, paused, changed, added }) => (
            <>
              <a href={hrefOf(["cron", id])} data-row>
                {id}
              </a>{" "}
              {paused && <Badge tone="warn">paused</Badge>} {changed && !added && <Badge tone="accent">changed</Badge>}{" "}
              {added && <Badge tone="accent">added</Badge>}
            </>
          ),
        },
        { name: "When", cell: ({ times }) => <code>{whenOf(times)}</code> },
        { name: "Next", cell: ({ next }) => (next === undefined ? "–" : <Time at={next} />) },
        { name: "Last", kind: "wide", cell: ({ last }) => (last === undefined ? "–" : <Time at={last} />) },
        { name: "Runs", kind: "wide", cell: ({ route }) => <RouteLink id={route} /> },
        { name: "Queue", kind: "wide", cell: ({ queue }) => <QueueLink name={queue} /> },
        { name: "Missed", kind: "wide", cell: ({ misfire }) => misfire },
        { name: "Overlap", kind: "wide", cell: ({ overlap }) => overlap },
        { name: "Actions", kind: "actions", cell: (schedule) => <Actions schedule={schedule} /> },
      ]}
    />
  );
}

export function whenOf(times: Schedule["times"]): string {
  return times.kind === "cron" ? `${times.spec} ${times.tz}` : `every ${duration(times.periodMs)}`;
}

function Actions({ schedule }: { schedule: Schedule }): JSX.Element {
  const { id, paused, changed, added } = schedule;
  const path = `schedules/${part(id)}`;
  const remove = (): void =>
    confirm({
      title: `Remove ${id}?`,
      text: "It was added by an operator; no handler defines it. This cannot be undone.",
      verb: "Remove",
      act: async () => void (await perform({ method: "DELETE", path, done: `${id} is removed` })),
    });
  return (
    <span class="row end icons">
      <Button icon="play" label={`Run ${id} now`} onClick={() => act({ path: `${path}/run`, done: `${id} runs` })}>
        Run
      </Button>
      <Button
        icon={paused ? "clock" : "pause"}
        label={`${paused ? "Resume" : "Pause"} ${id}`}
        onClick={() =>
          act({ path: `${path}/${paused ? "resume" : "pause"}`, done: `${id} is ${paused ? "not paused" : "paused"}` })
        }
      >
        {paused ? "Resume" : "Pause"}
      </Button>
      <Button icon="edit" label={`Edit ${id}`} onClick={() => editSchedule(schedule)}>
        Edit
      </Button>
      {(changed || paused) && !added && (
        <Button
          icon="retry"
          label={`Reset ${id}: as its handler says`}
          onClick={() => act({ path: `${path}/reset`, done: `${id} is as its handler says` })}
        >
          Reset
        </Button>
      )}
      {added && (
        <Button icon="bin" kind="danger" label={`Remove ${id}`} onClick={remove}>
          Remove
        </Button>
      )}
    </span>
  );
}
