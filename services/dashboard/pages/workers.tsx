// Workers: which there are, what each has in hand, what runs at this moment and in which thread.

import type { JSX } from "preact";
import type { Run, Worker } from "../../admin/api-workers.ts";
import { act, perform } from "../act.ts";
import { part } from "../ask.ts";
import { confirm } from "../dialog.tsx";
import { useFetched } from "../fetched.ts";
import { many } from "../format.ts";
import { hrefOf, type PageProps } from "../link.ts";
import { Badge, Button, Loaded, Panel, QueueLink } from "../parts.tsx";
import { type Column, Table } from "../table.tsx";
import { Since } from "../time.tsx";
import { Processes } from "./processes.tsx";
import { RunTable, size, ThreadTable } from "./threads.tsx";

interface List<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

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
      <Panel title="Threads">
        <Loaded of={workers}>
          {({ items }) => (
            <ThreadTable
              workers={items.filter((worker) => pod === undefined || worker.pod === pod)}
              runs={runs.data?.items ?? []}
            />
          )}
        </Loaded>
      </Panel>
      {pod === undefined && <Processes />}
    </>
  );
}

/** Not every worker says so. */
const MEMORY: readonly Column<Worker>[] = [
  { name: "Memory", kind: "wide number", cell: ({ rssBytes }) => size(rssBytes) },
  { name: "Heap", kind: "wide number", cell: ({ heapBytes }) => size(heapBytes) },
];

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
