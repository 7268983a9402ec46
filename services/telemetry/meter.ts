// Counts: the values of metrics in one thread. Those of a process meet in the thread that is scraped, as changes (`take`) that
// are added there (`add`). Each metric has a bounded number of series, whatever its labels are made of.

import { METRICS, type MetricRow } from "./metrics.ts";

/** Values in the order of the row's labels. */
export type Values = readonly string[];

/** What changed in one series. */
export interface Change {
  readonly name: string;
  readonly values: Values;
  /** By how much a counter grew; what a gauge is now; the sum of what a histogram observed. */
  readonly value: number;
  /** Of a histogram: observations by bucket, the last one is above all bounds. */
  readonly buckets?: readonly number[];
  /** Of a metric that is not in the list: an author's own. */
  readonly row?: MetricRow;
}

export interface Series {
  readonly values: Values;
  value: number;
  /** Of a histogram. */
  readonly bounds: readonly number[];
  readonly buckets: number[] | undefined;
  isChanged: boolean;
}

export interface Family {
  readonly name: string;
  readonly row: MetricRow;
  readonly isOwn: boolean;
  readonly series: Map<string, Series>;
  /** By label: the values seen. */
  readonly seen: readonly Set<string>[];
}

/** Above that a label's value is told as `other`. */
export const LABEL_VALUES_MAX = 200;
const OTHER = "other";
/** Of one metric; above that all labels of what is new are `other`. */
export const SERIES_MAX = 2_000;
/** An author's metric may have so many series, and a process so many such metrics. */
export const OWN_SERIES_MAX = 100;
export const OWN_METRICS_MAX = 200;
export const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** No label's value is made of it. */
const SEPARATOR = "\u0000";
const NO_VALUES: Values = [];

export class Meter {
  readonly #families = new Map<string, Family>();
  #isChanged = false;
  #onChange: () => void = () => {};

  /** Tells when something is to be taken that was not a moment ago; at once if it is so now. */
  watch(onChange: () => void): void {
    this.#onChange = onChange;
    if (this.#isChanged) onChange();
  }

  /** Adds to a counter. */
  count(name: string, values: Values = NO_VALUES, by = 1): void {
    const series = this.#series(name, values);
    if (series === undefined) return;
    series.value += by;
    this.#changed(series);
  }

  /** Says what a gauge is now. */
  set(name: string, values: Values, value: number): void {
    const series = this.#series(name, values);
    if (series === undefined) return;
    series.value = value;
    this.#changed(series);
  }

  /** Says what a histogram is now, where somebody else counts; `buckets` are those of the row. */
  tell(name: string, values: Values, { buckets, sum }: { buckets: readonly number[]; sum: number }): void {
    const series = this.#series(name, values);
    if (series?.buckets === undefined) return;
    series.value = sum;
    series.buckets.forEach((_, at, own) => (own[at] = buckets[at] ?? 0));
    this.#changed(series);
  }

  /** Into a histogram. */
  observe(name: string, values: Values, value: number): void {
    const series = this.#series(name, values);
    if (series?.buckets === undefined) return;
    const { bounds, buckets } = series;
    series.value += value;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
    buckets[at] = (buckets[at] ?? 0) + 1;
    this.#changed(series);
  }

  /** Makes an author's metric known. False: there are too many, or it was known as something else. */
  declare(name: string, row: MetricRow): boolean {
    const known = this.#families.get(name);
    if (known !== undefined) return isSame(known.row, row);
    if (this.families.filter(({ isOwn }) => isOwn).length >= OWN_METRICS_MAX) return false;
    this.#families.set(name, familyOf(name, row, true));
    return true;
  }

  /** What changed since it was taken last. */
  take(): Change[] {
    this.#isChanged = false;
    return this.families.flatMap(taken);
  }

  /** What was taken elsewhere. */
  add(changes: readonly Change[]): void {
    for (const change of changes) this.#add(change);
  }

  get families(): readonly Family[] {
    return [...this.#families.values()];
  }

  #add({ name, values, value, buckets, row }: Change): void {
    if (row !== undefined && !this.declare(name, row)) return this.#drop(name);
    const series = this.#series(name, values);
    if (series === undefined) return;
    if (this.#families.get(name)?.row.type === "gauge") series.value = value;
    else series.value += value;
    buckets?.forEach((count, at) => {
      if (series.buckets !== undefined) series.buckets[at] = (series.buckets[at] ?? 0) + count;
    });
    this.#changed(series);
  }

  #series(name: string, values: Values): Series | undefined {
    const family = this.#families.get(name) ?? this.#open(name);
    if (family === undefined) return undefined;
    const key = values.length === 1 ? (values[0] ?? "") : values.join(SEPARATOR);
    return family.series.get(key) ?? this.#begin(family, values);
  }

  #open(name: string): Family | undefined {
    const row = (METRICS as Readonly<Record<string, MetricRow>>)[name];
    if (row === undefined) return undefined;
    const family = familyOf(name, row, false);
    this.#families.set(name, family);
    return family;
  }

  #begin(family: Family, values: Values): Series | undefined {
    if (family.isOwn && family.series.size >= OWN_SERIES_MAX) {
      this.#drop(family.name);
      return undefined;
    }
    const bounded = family.isOwn ? values : boundedValues(family, values);
    const key = bounded.join(SEPARATOR);
    const known = family.series.get(key);
    if (known !== undefined) return known;
    const bounds = family.row.type === "histogram" ? (family.row.buckets ?? DURATION_BUCKETS) : [];
    const buckets = bounds.length === 0 ? undefined : Array.from({ length: bounds.length + 1 }, () => 0);
    const series: Series = { values: bounded, value: 0, bounds, buckets, isChanged: false };
    family.series.set(key, series);
    return series;
  }

  #drop(metric: string): void {
    this.count("antiphon_samples_dropped_total", [metric]);
  }

  #changed(series: Series): void {
    series.isChanged = true;
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#onChange();
  }
}

function familyOf(name: string, row: MetricRow, isOwn: boolean): Family {
  return { name, row, isOwn, series: new Map(), seen: row.labels.map(() => new Set<string>()) };
}

function boundedValues({ series, seen }: Family, values: Values): Values {
  if (series.size >= SERIES_MAX) return values.map(() => OTHER);
  return values.map((value, at) => boundedValue(seen[at], value));
}

function boundedValue(seen: Set<string> | undefined, value: string): string {
  if (seen === undefined || seen.has(value)) return value;
  if (seen.size >= LABEL_VALUES_MAX) return OTHER;
  seen.add(value);
  return value;
}

function isSame(one: MetricRow, other: MetricRow): boolean {
  return one.type === other.type && one.labels.join() === other.labels.join();
}

function taken({ name, row, isOwn, series }: Family): Change[] {
  const changes: Change[] = [];
  for (const one of series.values()) {
    if (!one.isChanged) continue;
    const { values, value, buckets } = one;
    changes.push({ name, values, value, ...(buckets && { buckets: [...buckets] }), ...(isOwn && { row }) });
    one.isChanged = false;
    if (row.type !== "gauge") one.value = 0;
    buckets?.fill(0);
  }
  return changes;
}
