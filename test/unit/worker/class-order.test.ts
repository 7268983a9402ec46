import { expect, test } from "vitest";
import { ClassOrder } from "../../../services/worker/class-order.ts";

test("every class comes first in proportion to its weight, and none waits longer than a round", () => {
  const order = new ClassOrder();
  const firsts = Array.from({ length: 30 }, () => order.next()[0]);
  const count = (cls: string): number => firsts.filter((first) => first === cls).length;
  expect(["0", "1", "2", "3"].map(count)).toEqual([16, 8, 4, 2]);
  expect(firsts.slice(0, 15)).toContain("3");
});

test("each order names all four classes, the rest by rank", () => {
  const order = new ClassOrder();
  for (let at = 0; at < 15; at++) {
    const text = order.next();
    expect([...text].sort().join("")).toBe("0123");
    expect(text.slice(1).split("").sort().join("")).toBe(text.slice(1));
  }
});
