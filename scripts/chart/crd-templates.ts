/**
 * The CustomResourceDefinitions as templates of the chart: Helm never upgrades what is in a chart's `crds/` folder.
 * They stay when the release goes, since Kubernetes deletes the objects of a kind together with its definition.
 */

/** @param text of a file of `crds/` */
export function crdTemplate(text: string): string {
  const metadata = /^metadata:\n {2}name: \S+\n(?=\S)/m;
  if (!metadata.test(text)) throw new Error('expected metadata with a name and nothing else');
  const body = text
    .replace(/^---\n/, '')
    // A brace would start an action of the template.
    .replaceAll('{{', '{{ "{{" }}')
    .replace(metadata, (found) => found + LABELS);
  return `{{- /* Generated from crds/ by scripts/generate-chart.ts. Do not edit. */}}\n{{- if .Values.crds.install }}\n${body}{{- end }}\n`;
}

const LABELS = `\
  labels:
    {{- include "sluice.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
    {{- with .Values.crds.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
`;
