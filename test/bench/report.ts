// What a benchmark hands back, and how it is printed: for people a table with ratios, for machines one object a line.

export interface Row {
  /** Which value of which scenario. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Who did the same in the same run; absent where there is nobody to compare with. */
  readonly peer?: string;
  readonly peerValue?: number;
  /** The figure to reach, in words, and whether it was reached. */
  readonly reach?: string;
  readonly holds?: boolean;
}

export interface Finished {
  readonly name: string;
  /** What somebody must know to run the same again. */
  readonly conditions: readonly string[];
  readonly rows: readonly Row[];
}

/** Own value by the peer's. */
export function ratioOf({ value, peerValue }: Row): number | undefined {
  return peerValue === undefined || peerValue === 0 ? undefined : value / peerValue;
}

export function jsonLine(row: Row): string {
  const { name, value, unit, peer = null, peerValue = null } = row;
  return JSON.stringify({ name, value, unit, peer, peerValue, ratio: ratioOf(row) ?? null });
}

const HEAD = ["what", "Antiphon", "peer", "ratio", "reach", ""];

/** A Markdown table that can be read as it is. */
export function table(rows: readonly Row[]): string {
  const cells = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(HEAD), rule, ...rows.map((row) => line(cellsOf(row)))].join("\n");
}

function cellsOf(row: Row): string[] {
  const ratio = ratioOf(row);
  const peer = row.peerValue === undefined ? (row.peer ?? "–") : `${numberText(row.peerValue)} (${row.peer ?? ""})`;
  const holds = row.holds === undefined ? "" : row.holds ? "holds" : "falls short";
  const own = `${numberText(row.value)} ${row.unit}`;
  return [row.name, own, peer, ratio === undefined ? "–" : ratio.toFixed(2), row.reach ?? "", holds];
}

function numberText(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, digits === 0 ? "," : "");
}
