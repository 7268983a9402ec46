// What /metrics says, read line by line.

export interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class MetricsPage {
  readonly text: string;
  readonly lines: readonly Line[];

  constructor(text: string) {
    this.text = text;
    this.lines = text.split("\n").flatMap((line): Line[] => {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match === null) return [];
      const [, name = "", labels = "", value = ""] = match;
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", text = ""]) => [
        label,
        text,
      ]);
      return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: valueOf(value) }];
    });
  }

  static async read(url: string): Promise<MetricsPage> {
    return new MetricsPage(await (await fetch(`${url}/metrics`)).text());
  }

  all(name: string, labels: Readonly<Record<string, string>> = {}): readonly Line[] {
    return this.lines.filter(
      (line) => line.name === name && Object.entries(labels).every(([label, value]) => line.labels[label] === value),
    );
  }

  /** Of all that fit; undefined where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.all(name, labels);
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }
}

function valueOf(text: string): number {
  return text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
}
