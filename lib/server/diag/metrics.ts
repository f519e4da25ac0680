/**
 * Numbers as Prometheus reads them. Labels are codes and names of ours, never those of users.
 *
 * @module
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */

/** One number, or one for each value of a label. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly label?: string;
  readonly samples: readonly { readonly of?: string; readonly value: number }[];
}

/** A number by itself. */
export function gauge(name: string, help: string, value: number): Metric {
  return { name, help, type: "gauge", samples: [{ value }] };
}

/** Writes the text format, in the order given. */
export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map(({ name, help, type, label, samples }) => {
    const lines = samples.map(({ of, value }) =>
      label === undefined || of === undefined
        ? `${name} ${value}`
        : `${name}{${label}="${escape(of)}"} ${value}`
    );
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
  }).join("");
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
