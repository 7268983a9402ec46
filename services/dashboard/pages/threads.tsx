// What the threads of workers do: the runs that they have, and those that have none.

import type { JSX } from "preact";
import type { Run, Thread, Worker } from "../../admin/api-workers.ts";
import { perform } from "../act.ts";
import { part } from "../ask.ts";
import { confirm } from "../dialog.tsx";
import { bytes, duration } from "../format.ts";
import { Badge, Button, JobLink, QueueLink, RouteLink, WorkerLink } from "../parts.tsx";
import { type Column, Table } from "../table.tsx";
import { Since } from "../time.tsx";

/** A run for so long is worth a look. */
const LONG_MS = 60_000;
/** Of all workers together; of one of them all are shown. */
const THREADS_SHOWN = 60;

export const size = (value: number | undefined): string => (value === undefined ? "–" : bytes(value));

interface Row extends Thread {
  readonly pod: string;
  readonly longest: Run | undefined;
}

export function ThreadTable({ workers, runs }: { workers: readonly Worker[]; runs: readonly Run[] }): JSX.Element {
  const rows = workers.flatMap(({ pod, threadsNow = [] }) =>
    threadsNow.map((thread): Row => ({ ...thread, pod, longest: longestIn(thread, runs) })),
  );
  const WORKER: readonly Column<Row>[] = [
    { name: "Worker", kind: "wide", cell: ({ pod }) => <WorkerLink pod={pod} /> },
  ];
  return (
    <>
      <Table
        label="Threads"
        rows={workers.length > 1 ? rows.slice(0, THREADS_SHOWN) : rows}
        keyOf={({ process, thread }) => `${process} ${thread}`}
        empty="Nothing is known of them"
        emptyNote="Workers tell every two seconds what their threads do."
        columns={[
          { name: "Thread", cell: ({ thread }) => <span class="mono">{thread}</span> },
          ...WORKER,
          { name: "Slots", cell: (thread) => <Slots {...thread} /> },
          { name: "Heap", kind: "number", cell: ({ heapBytes }) => size(heapBytes) },
          { name: "Longest run", kind: "fill", cell: ({ longest }) => longest && <Longest run={longest} /> },
        ]}
      />
      {workers.length > 1 && rows.length > THREADS_SHOWN && (
        <p class="note">There are more: choose a worker to see all of its threads.</p>
      )}
    </>
  );
}

function longestIn({ process, thread }: Thread, runs: readonly Run[]): Run | undefined {
  const here = runs.filter((run) => run.process === process && run.thread === thread);
  return here.toSorted((a, b) => begunAt(a).localeCompare(begunAt(b)))[0];
}

function begunAt({ begun, since }: Run): string {
  return begun ?? since;
}

function Slots({ state, busy, slots }: Thread): JSX.Element {
  if (state === "starting") return <Badge tone="warn">starting</Badge>;
  if (busy === 0) return <Badge>{state === "leaving" ? "leaving" : "idle"}</Badge>;
  return (
    <span class="row">
      <meter min={0} max={slots} value={busy} aria-label={`${busy} of ${slots} slots`} />
      {busy}/{slots}
      {state === "leaving" && <Badge tone="warn">leaving</Badge>}
    </span>
  );
}

function Longest({ run }: { run: Run }): JSX.Element {
  return (
    <span class="clip">
      {run.route === undefined ? <JobLink id={run.id} /> : <RouteLink id={run.route} />}{" "}
      <span class="muted">
        for <Since at={begunAt(run)} />
      </span>
    </span>
  );
}

const THREAD: readonly Column<Run>[] = [
  { name: "Thread", kind: "wide", cell: ({ thread }) => <span class="mono">{thread ?? "–"}</span> },
];

export function RunTable({ rows }: { rows: readonly Run[] }): JSX.Element {
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
        { name: "For", kind: "number", cell: (run) => <Since at={begunAt(run)} /> },
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
        { name: "Attempt", kind: "wide number", cell: ({ attempts }) => attempts + 1 },
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
