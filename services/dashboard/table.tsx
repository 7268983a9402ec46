// Tables: dense, one line a row; on a phone the columns that can be missed are left out.

import type { ComponentChildren, JSX } from "preact";
import { Empty } from "./parts.tsx";

export interface Column<T> {
  readonly name: string;
  readonly cell: (row: T) => ComponentChildren;
  readonly kind?: "number" | "wide" | "wide number" | "actions" | "fill" | "wide fill" | "check";
  /** In place of the name. */
  readonly head?: ComponentChildren;
}

/** Cells that say what they are. */
const BARE: ReadonlySet<string> = new Set([
  "Choose",
  "Job",
  "Route",
  "State",
  "Outcome",
  "Order",
  "When",
  "Kind",
  "Did",
  "Who",
  "On",
  "To",
]);

interface TableProps<T> {
  /** For screen readers. */
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  readonly empty: string;
  readonly emptyNote?: ComponentChildren;
  readonly toneOf?: (row: T) => string;
}

export function Table<T>({ label, columns, rows, keyOf, empty, emptyNote, toneOf }: TableProps<T>): JSX.Element {
  if (rows.length === 0) return <Empty title={empty}>{emptyNote}</Empty>;
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ name, kind = "", head }) => (
              <th key={name} role="columnheader" scope="col" class={kind}>
                {head ?? (kind === "actions" ? <span class="unseen">{name}</span> : name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr role="row" key={keyOf(row)} class={toneOf?.(row) ?? ""}>
              {columns.map(({ name, cell, kind = "" }, at) => (
                <td
                  key={name}
                  role="cell"
                  class={kind}
                  {...(at > 0 && !BARE.has(name) && kind !== "actions" && { "data-name": name })}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
