// Workers: which there are, what each has in hand, and what runs at this moment.

import type { JSX } from "preact";
import type { Run, Worker } from "../../admin/api-bot.ts";
import { act, perform } from "../act.ts";
import { part } from "../ask.ts";
import { confirm } from "../dialog.tsx";
import { useFetched } from "../fetched.ts";
import { bytes, duration, many } from "../format.ts";
import { hrefOf, type PageProps } from "../link.ts";
import { Badge, Button, JobLink, Loaded, Panel, QueueLink, RouteLink, WorkerLink } from "../parts.tsx";
import { type Column, Table } from "../table.tsx";
import { Since } from "../time.tsx";

interface List<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** A run for so long is worth a look. */
const LONG_MS = 60_000;

export function Workers({ place }: PageProps): JSX.Element {
  const { pod } = place.query;
  const workers = useFetched<List<Worker>>("workers", { limit: 200 }, 3000);
  const runs = useFetched<List<Run>>("runs", { limit: 200 }, 2000);
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Workers</h1>
        {pod !== undefined && (
          <p class="row">
            only <Badge tone="accent">{pod}</Badge> <a href={hrefOf(["workers"])}>Show all</a>
          </p>
        )}
      </header>
      <Panel title="Workers">
        <Loaded of={workers}>
          {({ items }) => <WorkerTable rows={items.filter((worker) => pod === undefined || worker.pod === pod)} />}
        </Loaded>
      </Panel>
      <Panel title="What runs now">
        <Loaded of={runs}>
          {({ items, cursor }) => (
            <>
              <RunTable rows={items.filter((run) => pod === undefined || run.pod === pod)} />
              {cursor !== undefined && <p class="note">More run than are shown here.</p>}
            </>
          )}
        </Loaded>
      </Panel>
    </>
  );
}

const size = (value: number | undefined): string => (value === undefined ? "–" : bytes(value));
/** Not every worker says so. */
const MEMORY: readonly Column<Worker>[] = [
  { name: "Memory", kind: "wide number", cell: ({ rssBytes }) => size(rssBytes) },
  { name: "Heap", kind: "wide number", cell: ({ heapBytes }) => size(heapBytes) },
];
const THREAD: readonly Column<Run>[] = [{ name: "Thread", kind: "wide", cell: ({ thread }) => thread ?? "–" }];

function WorkerTable({ rows }: { rows: readonly Worker[] }): JSX.Element {
  return (
    <Table
      label="Workers"
      rows={rows}
      keyOf={({ pod }) => pod}
      empty="No worker lives"
      emptyNote="What is enqueued waits until one starts."
      columns={[
        {
          name: "Worker",
          cell: ({ pod, order }) => (
            <>
              <a href={hrefOf(["workers"], { pod })} data-row>
                {pod}
              </a>{" "}
              {order !== "" && <Badge tone="warn">{order === "quiet" ? "quiet" : "told to stop"}</Badge>}
            </>
          ),
        },
        { name: "Pool", kind: "wide", cell: ({ pool = "default" }) => pool },
        {
          name: "Slots",
          cell: ({ slots, claimed }) => (
            <span class="row">
              <meter
                min={0}
                max={Math.max(1, slots ?? claimed)}
                value={claimed}
                aria-label={`${claimed} of ${slots ?? "unknown"} slots`}
              />
              {claimed}
              {slots === undefined ? "" : `/${slots}`}
            </span>
          ),
        },
        { name: "Threads", kind: "wide number", cell: ({ threads }) => threads ?? "–" },
        ...(rows.some(({ rssBytes }) => rssBytes !== undefined) ? MEMORY : []),
        {
          name: "Up for",
          kind: "wide number",
          cell: ({ startedAt }) => (startedAt === undefined ? "–" : <Since at={startedAt} />),
        },
        { name: "Queues", kind: "wide fill", cell: ({ queues }) => <QueueNames names={queues} /> },
        { name: "Actions", kind: "actions", cell: (worker) => <WorkerActions worker={worker} /> },
      ]}
    />
  );
}

const QUEUES_SHOWN = 4;

function QueueNames({ names }: { names: readonly string[] }): JSX.Element {
  return (
    <span class="clip" title={names.join(", ")}>
      {names.slice(0, QUEUES_SHOWN).map((name) => (
        <span key={name} class="item">
          <QueueLink name={name} />
        </span>
      ))}
      {names.length > QUEUES_SHOWN && <span class="muted">+ {names.length - QUEUES_SHOWN}</span>}
    </span>
  );
}

function WorkerActions({ worker: { pod, order, claimed } }: { worker: Worker }): JSX.Element {
  const path = `workers/${part(pod)}`;
  const stop = (): void =>
    confirm({
      title: `Stop ${pod}?`,
      text: `It finishes what it has (${many(claimed, "delivery", "deliveries")}) and ends. Whoever started it decides whether another one starts.`,
      verb: "Stop it",
      act: async () => void (await perform({ path: `${path}/stop`, done: `${pod} was told to stop` })),
    });
  return (
    <span class="row end icons">
      {order === "" ? (
        <Button
          icon="pause"
          label={`Quiet ${pod}: it takes nothing more`}
          onClick={() => act({ path: `${path}/quiet`, done: `${pod} takes nothing more` })}
        >
          Quiet
        </Button>
      ) : (
        <Button
          icon="play"
          label={`Resume ${pod}`}
          onClick={() => act({ path: `${path}/resume`, done: `${pod} takes work again` })}
        >
          Resume
        </Button>
      )}
      <Button icon="stop" kind="danger" label={`Stop ${pod}`} onClick={stop}>
        Stop
      </Button>
    </span>
  );
}

function RunTable({ rows }: { rows: readonly Run[] }): JSX.Element {
  return (
    <Table
      label="What runs now"
      rows={rows}
      keyOf={({ id, since }) => `${id} ${since}`}
      empty="Nothing runs"
      toneOf={({ ms }) => (ms > LONG_MS ? "warn-row" : "")}
      columns={[
        { name: "Job", cell: ({ id }) => <JobLink id={id} /> },
        { name: "Route", cell: ({ route, kind }) => (route === undefined ? (kind ?? "–") : <RouteLink id={route} />) },
        { name: "For", kind: "number", cell: ({ since }) => <Since at={since} /> },
        { name: "Worker", kind: "wide", cell: ({ pod }) => <WorkerLink pod={pod} /> },
        ...(rows.some(({ thread }) => thread !== undefined) ? THREAD : []),
        { name: "Queue", kind: "wide", cell: ({ queue }) => <QueueLink name={queue} /> },
        {
          name: "Key",
          kind: "wide fill",
          cell: ({ key }) =>
            key === undefined ? null : (
              <code class="clip" title={key}>
                {key}
              </code>
            ),
        },
        { name: "Failures", kind: "wide number", cell: ({ attempts }) => attempts },
        { name: "Actions", kind: "actions", cell: (run) => <Kill run={run} /> },
      ]}
    />
  );
}

function Kill({ run: { id, ms, route = "this run" } }: { run: Run }): JSX.Element {
  const kill = (): void =>
    confirm({
      title: "End this run?",
      text: `${route} has run for ${duration(ms)}. Its signal is aborted first; what does not heed it is ended with its thread. The job does not run again.`,
      verb: "End it",
      act: async () => void (await perform({ path: `jobs/${part(id)}/cancel`, done: "Its worker was told to end it" })),
    });
  return (
    <Button icon="stop" kind="danger" label={`End the run of ${id}`} onClick={kill}>
      End
    </Button>
  );
}
