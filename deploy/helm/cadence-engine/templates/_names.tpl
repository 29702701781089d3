{{- define "cadence-engine.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "cadence-engine.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{/* What never changes of a part in the life of a release. Takes (dict "top" $ "part" "worker"). */}}
{{- define "cadence-engine.selector" -}}
app.kubernetes.io/name: {{ .top.Chart.Name }}
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "cadence-engine.metadata" -}}
name: {{ include "cadence-engine.fullname" .top }}-{{ .part }}
namespace: {{ .top.Release.Namespace }}
labels:
  {{- include "cadence-engine.labels" . | nindent 2 }}
{{- end -}}

{{- define "cadence-engine.labels" -}}
{{ include "cadence-engine.selector" . }}
app.kubernetes.io/version: {{ .top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .top.Release.Service }}
helm.sh/chart: {{ .top.Chart.Name }}-{{ .top.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The processes that stay, in the order of the flow. */}}
{{- define "cadence-engine.processes" -}}
consumer worker relay{{ if .Values.api.enabled }} api{{ end }}
{{- end -}}
