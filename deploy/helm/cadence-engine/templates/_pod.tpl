{{/* Settings as variables; a number comes as it was written, not as 1e+06. */}}
{{- define "cadence-engine.settings" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end -}}

{{/* What all our pods have in common. Takes (dict "top" $ "part" ..). */}}
{{- define "cadence-engine.pod-spec" -}}
{{- $pod := .top.Values.pod -}}
serviceAccountName: {{ $pod.serviceAccountName }}
automountServiceAccountToken: false
# Kubernetes would else set CADENCE_API_PORT=tcp://.. for a release named cadence.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
  fsGroupChangePolicy: OnRootMismatch
  {{- range $id, $value := $pod.securityContext }}
  {{- if not (kindIs "invalid" $value) }}
  {{ $id }}: {{ toJson $value }}
  {{- end }}
  {{- end }}
{{- with .top.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $pod.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- include "cadence-engine.certificate-volumes" .top | nindent 2 }}
{{- end -}}

{{- define "cadence-engine.container" -}}
image: {{ include "cadence-engine.image" .top | quote }}
imagePullPolicy: {{ .top.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "cadence-engine.certificate-mounts" .top | nindent 2 }}
{{- end -}}

{{- define "cadence-engine.pod-metadata" -}}
annotations:
  # Other addresses, other pods; of a Secret of yours only you know when it changes.
  cadence-engine/servers: {{ printf "%s %s" .top.Values.postgres.url .top.Values.redis.url | sha256sum | trunc 16 }}
  {{- with .top.Values.pod.annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "cadence-engine.labels" . | nindent 2 }}
  {{- with .top.Values.pod.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
