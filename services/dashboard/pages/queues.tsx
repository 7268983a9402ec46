// Queues: how deep each is, how old, how fast, who serves it, and what holds it back.

import type { JSX } from "preact";
import type { Queue } from "../../admin/api.ts";
import { act } from "../act.ts";
import { useFetched } from "../fetched.ts";
import { count, duration, rate } from "../format.ts";
import { hrefOf } from "../link.ts";
import { Badge, Button, Loaded, Panel } from "../parts.tsx";
import { Table } from "../table.tsx";

type Queues = { readonly items: readonly Queue[]; readonly cursor?: string };

export function Queues(): JSX.Element {
  const fetched = useFetched<Queues>("queues", { limit: 200 });
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Queues</h1>
      </header>
      <Loaded of={fetched}>
        {({ items, cursor }) => (
          <>
            <Panel title="Deliveries">
              <List label="Queues of deliveries" rows={items.filter(({ name }) => !name.startsWith("outbox/"))} />
              {cursor !== undefined && (
                <p class="note">There are more than {items.length} queues; these are the first.</p>
              )}
            </Panel>
            {items.some(({ name }) => name.startsWith("outbox/")) && (
              <Panel title="Outboxes">
                <List label="Outboxes" rows={items.filter(({ name }) => name.startsWith("outbox/"))} />
              </Panel>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}

function List({ label, rows }: { label: string; rows: readonly Queue[] }): JSX.Element {
  return (
    <Table
      label={label}
      rows={rows}
      keyOf={({ name }) => name}
      empty="No queue yet"
      emptyNote="Queues appear with the first delivery."
      columns={[
        {
          name: "Queue",
          cell: (queue) => (
            <>
              <a href={hrefOf(["queues", queue.name])} data-row>
                {queue.name}
              </a>{" "}
              <Marks queue={queue} />
            </>
          ),
        },
        { name: "Waiting", kind: "number", cell: ({ ready }) => count(ready) },
        {
          name: "Oldest",
          kind: "number",
          cell: ({ oldestMs, ready }) => (oldestMs === undefined || ready === 0 ? "–" : duration(oldestMs)),
        },
        { name: "Running", kind: "number", cell: ({ claimed }) => count(claimed) },
        { name: "Later", kind: "wide number", cell: ({ delayed, held }) => count(delayed + held) },
        { name: "Dead", kind: "number", cell: (queue) => <Dead queue={queue} /> },
        {
          name: "Arrive",
          kind: "wide number",
          cell: ({ arrivalsPerSecond }) => (arrivalsPerSecond === undefined ? "–" : rate(arrivalsPerSecond)),
        },
        {
          name: "Mean run",
          kind: "wide number",
          cell: ({ meanRunMs }) => (meanRunMs === undefined ? "–" : duration(meanRunMs)),
        },
        { name: "Weight", kind: "wide number", cell: weightsOf },
        { name: "Workers", kind: "wide number", cell: ({ workers }) => workers.length },
        { name: "Actions", kind: "actions", cell: (queue) => <PauseButton queue={queue} /> },
      ]}
    />
  );
}

export function Marks({ queue }: { queue: Queue }): JSX.Element {
  const isPaused = queue.pauses.some(({ kind }) => kind === "queue");
  const parts = queue.pauses.filter(({ kind }) => kind !== "queue").length;
  const isLimited = queue.limits.rate !== undefined || queue.limits.concurrency !== undefined;
  return (
    <>
      {isPaused && <Badge tone="warn">paused</Badge>} {parts > 0 && <Badge tone="warn">{parts} parts paused</Badge>}{" "}
      {isLimited && <Badge tone="accent">limited</Badge>}{" "}
      {queue.workers.length === 0 && queue.ready > 0 && !queue.name.startsWith("outbox/") && (
        <Badge tone="bad">nobody serves it</Badge>
      )}
    </>
  );
}

function Dead({ queue: { name, dead } }: { queue: Queue }): JSX.Element {
  if (dead === 0) return <>0</>;
  return (
    <a class="bad-text" href={hrefOf(["jobs"], { state: "dead", queue: name })}>
      {count(dead)}
    </a>
  );
}

function weightsOf({ weights = [] }: Queue): string {
  const different = new Set(weights.map(({ weight }) => weight));
  if (different.size <= 1) return [...different].join("") || "–";
  return weights.map(({ pool, weight }) => `${pool} ${weight}`).join(", ");
}

export function PauseButton({ queue: { name, pauses } }: { queue: Queue }): JSX.Element {
  const isPaused = pauses.some(({ kind }) => kind === "queue");
  const verb = isPaused ? "resume" : "pause";
  return (
    <Button
      icon={isPaused ? "play" : "pause"}
      label={`${isPaused ? "Resume" : "Pause"} ${name}`}
      onClick={() => act({ path: `queues/${encodeURIComponent(name)}/${verb}`, done: `${name} is ${verb}d` })}
    >
      {isPaused ? "Resume" : "Pause"}
    </Button>
  );
}
