// Prints "<passed> <failed>" of a report that vitest wrote as JSON. What did not run, or is missing, counts as failed.

import { readFileSync } from "node:fs";

try {
  const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const total = report.numTotalTests;
  const passed = report.numPassedTests;
  const emptyFiles = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  console.log(passed, total - passed + emptyFiles.length);
} catch (error) {
  console.error(`No report of the tests: ${error.message}`);
  console.log(0, 1);
}
