// What people call a process of ours: its machine or pod, and its number there.

import { hostname } from "node:os";

export function processName(): string {
  return `${hostname()}:${process.pid}`;
}
