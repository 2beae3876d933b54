{{/* What everything is named after. Leaves room for what is appended. */}}
{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "sluice" .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sluice" .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.operator" -}}
{{ include "sluice.fullname" . }}-operator
{{- end -}}

{{/* What belongs to no namespace: with a list of namespaces, there may be several releases. */}}
{{- define "sluice.clusterName" -}}
{{- if .Values.watchNamespaces -}}
{{ printf "%s-%s" .Release.Namespace (include "sluice.operator" .) }}
{{- else -}}
{{ include "sluice.operator" . }}
{{- end -}}
{{- end -}}

{{- define "sluice.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "sluice.operator" .) }}
{{- end -}}

{{/* The proxies' NetworkPolicies let these pods in, so the first and the last never change. */}}
{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "sluice.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "sluice.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "sluice.gatewayNamespace" -}}
{{ .Values.ingress.gateway.namespace | default .Release.Namespace }}
{{- end -}}

{{/* What the operator may do in the namespaces that it follows. */}}
{{- define "sluice.rules" -}}
# What users write.
- apiGroups: [sluice.dev]
  resources: [edgegateways, backendpools, firewallrulelists]
  verbs: [get, list, watch]
- apiGroups: [sluice.dev]
  resources: [edgegateways/status, backendpools/status, firewallrulelists/status]
  verbs: [patch]
# Owning objects on behalf of a gateway, where the API server asks for it.
- apiGroups: [sluice.dev]
  resources: [edgegateways/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [referencegrants]
  verbs: [get, list, watch]
{{- if .Values.ingress.enabled }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
{{- end }}
# What gateways are made of. Services and Secrets are read, too, where users refer to them.
- apiGroups: [""]
  resources: [secrets, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
# How they are doing.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# What the pods of a gateway may do, the operator must be allowed to: nobody can grant more than they have.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
{{- end -}}
