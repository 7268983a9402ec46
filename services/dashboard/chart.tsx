// A chart over time. Its numbers are in the tables beside it too; screen readers hear what it shows in one sentence.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clockTime } from "./format.ts";
import { useStore } from "./store.ts";
import { isDark } from "./theme.ts";

export type Paint = "accent" | "good" | "warn" | "bad";

export interface Line {
  readonly name: string;
  readonly paint: Paint;
  readonly values: readonly (number | null)[];
  readonly filled?: boolean;
}

interface ChartProps {
  readonly label: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}

const HEIGHT = 168;
/** The axis shows at least so long. */
const SPAN_S = 120;

export function Chart({ label, times, lines, format }: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const dark = useStore(isDark);
  const data = [times, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    plot.current = new uPlot(optionsOf({ element, lines, format }), latest.current, element);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [dark, lines.map(({ name }) => name).join()]);
  useEffect(() => plot.current?.setData(data), [times, lines]);
  const said = lines.map(({ name, values }) => `${name}: ${format(values.findLast((value) => value !== null) ?? 0)}`);
  return (
    <figure class="chart">
      <figcaption>
        {lines.map(({ name, paint, values }) => (
          <span key={name} class={`key ${paint}`}>
            {name} <b>{format(values.findLast((value) => value !== null) ?? 0)}</b>
          </span>
        ))}
      </figcaption>
      <div ref={box} role="img" aria-label={`${label}. ${said.join(", ")}`} />
    </figure>
  );
}

interface Wanted {
  readonly element: HTMLElement;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}

function optionsOf({ element, lines, format }: Wanted): uPlot.Options {
  const [ink, grid] = [paintOf(element, "muted"), paintOf(element, "line")];
  const axis = {
    stroke: ink,
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    padding: [8, 18, 0, 0],
    scales: {
      x: { range: (_plot, min, max) => [Math.min(min, max - SPAN_S), max] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        gap: 6,
        space: 64,
        values: (_plot, ticks) => ticks.map((tick) => tickTime(tick, (ticks[1] ?? 0) - (ticks[0] ?? 0))),
      },
      { ...axis, size: 58, space: 32, values: (_plot, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      {},
      ...lines.map(({ name, paint, filled }) => ({
        label: name,
        stroke: paintOf(element, paint),
        width: 1.75,
        points: { show: false },
        ...(filled === true && { fill: paintOf(element, `${paint}-soft`) }),
      })),
    ],
    plugins: [tip(format)],
  };
}

/** What the line is at the pointer. */
function tip(format: (value: number) => string): uPlot.Plugin {
  const shown = document.createElement("div");
  shown.className = "tip";
  shown.hidden = true;
  return {
    hooks: {
      init: (plot) => void plot.over.append(shown),
      setCursor: (plot) => {
        const { idx, left = 0 } = plot.cursor;
        const at = typeof idx === "number" ? plot.data[0][idx] : undefined;
        shown.hidden = at === undefined || left < 0;
        if (at === undefined || typeof idx !== "number") return;
        const values = plot.series.slice(1).map((line, n) => {
          const value = plot.data[n + 1]?.[idx];
          return `${String(line.label)} ${typeof value === "number" ? format(value) : "–"}`;
        });
        shown.textContent = [clockOf(at), ...values].join("\n");
        shown.style.left = `${left}px`;
        shown.classList.toggle("left", left > plot.over.clientWidth / 2);
      },
    },
  };
}

const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECOND = new Intl.DateTimeFormat(undefined, { minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function tickTime(seconds: number, step: number): string {
  return (step < 60 ? SECOND : MINUTE).format(seconds * 1000);
}

function clockOf(seconds: number): string {
  return clockTime(new Date(seconds * 1000));
}

/** A canvas knows no custom properties: the browser is asked what one of them is just now. */
function paintOf(element: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.className = `paint-${name}`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
