// Ends a test run with the list of suites whose server is missing on this machine: they did not run, none was skipped.

import type { Reporter, TestModule } from "vitest/node";

export default class MissingServers implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests()].flatMap((found) => {
        const server = found.meta().missingServer;
        const suite = found.parent.type === "suite" ? ` > ${found.parent.fullName}` : "";
        return server === undefined ? [] : [`   ${module.relativeModuleId}${suite}: needs ${server}`];
      }),
    );
    if (lines.length > 0)
      console.log(`\n Suites that did not run, because their server is missing:\n${lines.join("\n")}\n`);
  }
}
