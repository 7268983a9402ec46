// Prints "<passed> <failed>" of a report that vitest wrote as JSON, and on stderr which failed and why. What did not run,
// or is missing, counts as failed.

import { readFileSync } from "node:fs";

try {
  const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const total = report.numTotalTests;
  const passed = report.numPassedTests;
  const emptyFiles = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  for (const file of report.testResults) {
    if (emptyFiles.includes(file)) console.error(`   ${file.name}: ${firstLine(file.message)}`);
    for (const test of file.assertionResults.filter((found) => found.status !== "passed")) {
      console.error(`   ${file.name} > ${test.fullName}: ${test.status} ${firstLine(test.failureMessages[0])}`);
    }
  }
  console.log(passed, total - passed + emptyFiles.length);
} catch (error) {
  console.error(`No report of the tests: ${error.message}`);
  console.log(0, 1);
}

function firstLine(message = "") {
  return message.split("\n")[0];
}
