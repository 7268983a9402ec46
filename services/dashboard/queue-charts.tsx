// Charts of one queue, from the snapshots that the bus has told.

import type { JSX } from "preact";
import type { QueueNow } from "../admin/api.ts";
import { Chart } from "./chart.tsx";
import { count, duration, rate } from "./format.ts";
import { snapshots } from "./live.ts";
import { Panel } from "./parts.tsx";
import { useStore } from "./store.ts";

export function QueueCharts({ name }: { name: string }): JSX.Element | null {
  const past = useStore(snapshots);
  const times = past.map(({ at }) => Date.parse(at) / 1000);
  const rows = past.map(({ queues }) => queues.find((queue) => queue.name === name));
  if (rows.every((row) => row === undefined)) return null;
  const of = (value: (queue: QueueNow) => number | null) => rows.map((row) => (row === undefined ? null : value(row)));
  return (
    <div class="charts">
      <Panel title="Throughput">
        <Chart
          label="Deliveries per second"
          times={times}
          format={rate}
          lines={[
            { name: "finished", paint: "good", filled: true, values: of((queue) => queue.finishedPerSecond) },
            { name: "arrive", paint: "accent", values: of((queue) => queue.arrivalsPerSecond) },
            { name: "fail", paint: "bad", values: of((queue) => queue.failedPerSecond) },
          ]}
        />
      </Panel>
      <Panel title="Backlog">
        <Chart
          label="Deliveries that wait and run"
          times={times}
          format={(value) => count(Math.round(value * 10) / 10)}
          lines={[
            { name: "waiting", paint: "accent", filled: true, values: of((queue) => queue.ready) },
            { name: "running", paint: "good", values: of((queue) => queue.claimed) },
          ]}
        />
      </Panel>
      <Panel title="Latency">
        <Chart
          label="Age of the oldest that waits, and how long a run takes"
          times={times}
          format={duration}
          lines={[
            { name: "oldest waiting", paint: "warn", filled: true, values: of((queue) => queue.oldestMs) },
            { name: "mean run", paint: "accent", values: of((queue) => queue.meanRunMs) },
          ]}
        />
      </Panel>
    </div>
  );
}
