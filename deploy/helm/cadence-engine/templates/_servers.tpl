{{/* How each server is reached: the one place for addresses, certificates and credentials. */}}

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
{{- include "cadence-engine.tls" (dict "server" "redis" "tls" .Values.redis.tls
  "ca" "REDIS_CA_FILE" "certificate" "REDIS_CERTIFICATE_FILE" "key" "REDIS_KEY_FILE") }}
- name: KAFKA_BOOTSTRAP_SERVERS
  value: {{ .Values.kafka.bootstrapServers | quote }}
- name: KAFKA_SECURITY_PROTOCOL
  value: {{ .Values.kafka.securityProtocol }}
{{- if hasPrefix "SASL" .Values.kafka.securityProtocol }}
{{- with .Values.kafka.sasl }}
- name: KAFKA_SASL_MECHANISM
  value: {{ .mechanism }}
- name: KAFKA_SASL_USERNAME
  value: {{ .username | quote }}
- name: KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret.name }}, key: {{ .existingSecret.key }}}
{{- end }}
{{- end }}
{{- include "cadence-engine.tls" (dict "server" "kafka" "tls" .Values.kafka.tls
  "ca" "KAFKA_CA_FILE" "certificate" "KAFKA_CERTIFICATE_FILE" "key" "KAFKA_KEY_FILE") }}
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
{{- include "cadence-engine.tls" (dict "server" "postgres" "tls" $postgres.tls
  "ca" "PGSSLROOTCERT" "certificate" "PGSSLCERT" "key" "PGSSLKEY") }}
{{- end -}}

{{/* The variables that name the files of a mounted Secret. Takes (dict "server" .. "tls" .. "ca" VARIABLE ..). */}}
{{- define "cadence-engine.tls" -}}
{{- $named := . }}
{{- if .tls.secret }}
{{- range $file := list "ca" "certificate" "key" }}
{{- with index $named.tls $file }}
- name: {{ index $named $file }}
  value: /etc/cadence-engine/{{ $named.server }}/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cadence-engine.certificate-mounts" -}}
{{- range $server := list "postgres" "redis" "kafka" }}
{{- if (index $.Values $server).tls.secret }}
- {name: {{ $server }}-tls, mountPath: /etc/cadence-engine/{{ $server }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cadence-engine.certificate-volumes" -}}
{{- range $server := list "postgres" "redis" "kafka" }}
{{- with (index $.Values $server).tls.secret }}
- name: {{ $server }}-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}
