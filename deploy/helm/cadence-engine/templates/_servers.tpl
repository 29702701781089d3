{{/* How each server is reached: the one place for addresses, certificates and, once the engine has them, credentials. */}}

{{/* A variable from the Secret that exists, or from the chart's. Takes (dict "top" $ "variable" .. "server" ..). */}}
{{- define "cadence-engine.url" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      {{- if .server.existingSecret.name }}
      name: {{ .server.existingSecret.name }}
      key: {{ .server.existingSecret.key }}
      {{- else }}
      name: {{ include "cadence-engine.fullname" .top }}-servers
      key: {{ .variable }}
      {{- end }}
{{- end -}}

{{- define "cadence-engine.servers" -}}
{{- $postgres := .Values.postgres }}
{{- include "cadence-engine.url" (dict "top" . "variable" "DATABASE_URL" "server" $postgres) }}
{{ include "cadence-engine.url" (dict "top" . "variable" "REDIS_URL" "server" .Values.redis) }}
- name: KAFKA_BOOTSTRAP_SERVERS
  value: {{ .Values.kafka.bootstrapServers | quote }}
{{- with .Values.kafka.topicPrefix }}
- name: CADENCE_TOPIC_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- with .Values.kafka.triggerTopics }}
- name: CADENCE_TRIGGER_TOPICS
  value: {{ join "," . | quote }}
{{- end }}
{{- with $postgres.tls.mode }}
- name: PGSSLMODE
  value: {{ . }}
{{- end }}
{{- with $postgres.tls }}
{{- if .secret }}
- name: PGSSLROOTCERT
  value: /etc/cadence-engine/postgres/{{ .ca }}
{{- if .certificate }}
- name: PGSSLCERT
  value: /etc/cadence-engine/postgres/{{ .certificate }}
- name: PGSSLKEY
  value: /etc/cadence-engine/postgres/{{ .key }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cadence-engine.certificate-mounts" -}}
{{- range $server := list "postgres" "redis" }}
{{- if (index $.Values $server).tls.secret }}
- {name: {{ $server }}-tls, mountPath: /etc/cadence-engine/{{ $server }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cadence-engine.certificate-volumes" -}}
{{- range $server := list "postgres" "redis" }}
{{- with (index $.Values $server).tls.secret }}
- name: {{ $server }}-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}
