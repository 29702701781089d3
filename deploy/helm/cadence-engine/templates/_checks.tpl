{{/* What no schema can say: values that do not go together. All that is wrong is told at once. */}}
{{- define "cadence-engine.check" -}}
{{- $wrong := list }}
{{- range $server := list "postgres" "redis" }}
{{- $own := index $.Values $server }}
{{- if not (or $own.url $own.existingSecret.name) }}
{{- $wrong = append $wrong (printf "%s.existingSecret.name is not set: name a Secret with the URL under the key %s (or, for trying out, set %s.url)" $server $own.existingSecret.key $server) }}
{{- else if and $own.url $own.existingSecret.name }}
{{- $wrong = append $wrong (printf "%s.url and %s.existingSecret.name are both set: which one is meant? Remove the other" $server $server) }}
{{- end }}
{{- end }}
{{- if not (regexMatch `^[^\s,:/]+:[0-9]+(,[^\s,:/]+:[0-9]+)*$` .Values.kafka.bootstrapServers) }}
{{- $wrong = append $wrong "kafka.bootstrapServers must be host:port of one broker or some, by comma, without a protocol: kafka-0.kafka:9092,kafka-1.kafka:9092" }}
{{- end }}
{{- if not (regexMatch `^(postgres(ql)?://.+)?$` .Values.postgres.url) }}
{{- $wrong = append $wrong "postgres.url must be postgresql://user:password@host:5432/database" }}
{{- end }}
{{- if not (regexMatch `^(rediss?://.+)?$` .Values.redis.url) }}
{{- $wrong = append $wrong "redis.url must be redis://host:6379, or rediss://host:6379 for TLS" }}
{{- end }}
{{- if not (regexMatch `^(https?://[^\s/@]+(/.*)?)?$` .Values.traces.endpoint) }}
{{- $wrong = append $wrong "traces.endpoint must be http://host:4318 or https://host, without a user: a key goes into OTEL_EXPORTER_OTLP_HEADERS, by pod.extraEnv" }}
{{- end }}
{{- if not (regexMatch `^(sha256:[0-9a-f]{64})?$` .Values.image.digest) }}
{{- $wrong = append $wrong "image.digest must be sha256: and 64 hexadecimal digits" }}
{{- end }}
{{- if eq (toString .Values.pod.securityContext.runAsUser) "0" }}
{{- $wrong = append $wrong "pod.securityContext.runAsUser is 0, but the engine does not run as root: take any other number" }}
{{- end }}
{{- range .Values.pod.extraEnv }}
{{- if or (hasPrefix "CADENCE_" .name) (hasPrefix "PG" .name) (hasPrefix "KAFKA_" .name) (hasPrefix "REDIS_" .name) (has .name (list "DATABASE_URL" "OTEL_EXPORTER_OTLP_ENDPOINT")) }}
{{- $wrong = append $wrong (printf "pod.extraEnv sets %s, which has a value of its own: see settings, postgres, redis, kafka and traces" .name) }}
{{- end }}
{{- end }}
{{- if and (contains "sslmode=" .Values.postgres.url) .Values.postgres.tls.mode }}
{{- $wrong = append $wrong "postgres.url names an sslmode, and postgres.tls.mode is set too: which one is meant? Remove one" }}
{{- end }}
{{- if and (hasPrefix "verify" .Values.postgres.tls.mode) (not .Values.postgres.tls.secret) }}
{{- $wrong = append $wrong (printf "postgres.tls.mode is %s, but postgres.tls.secret is not set: name the Secret that holds the CA's certificate" .Values.postgres.tls.mode) }}
{{- end }}
{{- range $server := list "postgres" "redis" "kafka" }}
{{- with (index $.Values $server).tls }}
{{- if ne (empty .certificate) (empty .key) }}
{{- $wrong = append $wrong (printf "%s.tls.certificate and %s.tls.key go together: set both, or neither" $server $server) }}
{{- end }}
{{- if and .certificate (not .secret) }}
{{- $wrong = append $wrong (printf "%s.tls.certificate is set, but %s.tls.secret, which holds it, is not" $server $server) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.redis.tls.secret .Values.redis.url (not (hasPrefix "rediss://" .Values.redis.url)) }}
{{- $wrong = append $wrong "redis.tls.secret is set, but redis.url does not encrypt: it must begin with rediss://" }}
{{- end }}
{{- with .Values.kafka }}
{{- if and .tls.secret (not (hasSuffix "SSL" .securityProtocol)) }}
{{- $wrong = append $wrong (printf "kafka.tls.secret is set, but kafka.securityProtocol is %s, which does not encrypt: set SSL or SASL_SSL" .securityProtocol) }}
{{- end }}
{{- if and (hasPrefix "SASL" .securityProtocol) (not (and .sasl.username .sasl.existingSecret.name)) }}
{{- $wrong = append $wrong (printf "kafka.securityProtocol is %s: set kafka.sasl.username, and kafka.sasl.existingSecret.name with the password under the key %s" .securityProtocol .sasl.existingSecret.key) }}
{{- end }}
{{- if and .sasl.username (not (hasPrefix "SASL" .securityProtocol)) }}
{{- $wrong = append $wrong (printf "kafka.sasl.username is set, but kafka.securityProtocol is %s, which has no users by password: set SASL_SSL" .securityProtocol) }}
{{- end }}
{{- if and (ne .securityProtocol "PLAINTEXT") $.Values.keda.enabled (not $.Values.keda.consumer.authentication) }}
{{- $wrong = append $wrong "KEDA asks Kafka too, with a user of its own: set keda.consumer.authentication to a TriggerAuthentication" }}
{{- end }}
{{- end }}
{{- if and (eq .Values.topics.create "strimzi") (not .Values.topics.strimzi.cluster) }}
{{- $wrong = append $wrong "topics.create is strimzi, but topics.strimzi.cluster is not set: the name of the Kafka resource" }}
{{- end }}
{{- $consumers := ternary .Values.keda.consumer.maxReplicas .Values.consumer.replicas .Values.keda.enabled }}
{{- if and (ne .Values.topics.create "none") (gt (int64 $consumers) (int64 .Values.topics.partitions)) }}
{{- $wrong = append $wrong (printf "%v consumers, but topics.partitions is %v: those beyond it would have nothing to read" $consumers .Values.topics.partitions) }}
{{- end }}
{{- range $part := list "consumer" "worker" }}
{{- with index $.Values.keda $part }}
{{- if gt (int64 .minReplicas) (int64 .maxReplicas) }}
{{- $wrong = append $wrong (printf "keda.%s.minReplicas is above its maxReplicas" $part) }}
{{- end }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n\n  - %s\n" (join "\n  - " $wrong)) }}
{{- end }}
{{- end -}}
