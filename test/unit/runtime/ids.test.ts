// The two written forms of a delivery's number.

import { expect, test } from "vitest";
import { deliveryNumber, publicId } from "../../../services/runtime/ids.ts";

test("the public id is the number in base 36, and back", () => {
  const numbers = [0, 7, 35, 36, 36 ** 4 - 1, 36 ** 4, 36 ** 4 + 1, 36 ** 8 - 1, 36 ** 8, 36 ** 8 + 36, 2 ** 53 - 1];
  for (const number of [...numbers, 1_795_432_100_123_456]) {
    expect(publicId(String(number))).toBe(number.toString(36));
    expect(publicId(number)).toBe(number.toString(36));
    expect(deliveryNumber(publicId(number))).toBe(String(number));
  }
});
