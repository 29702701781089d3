{{/* The topics that the consumer reads, without the prefix, by comma: contracts/cadence_contracts/topics.py has them. */}}
{{- define "cadence-engine.inbound" -}}
{{- $inbound := list
    "contact.created"
    "contact.updated"
    "contact.deleted"
    "contact.preferences.changed"
    "message.received"
    "lead.created"
    "purchase.completed"
    "company.updated"
    "company.deleted"
    "enrollment.requested"
    "enrollment.cancel.requested" }}
{{- concat $inbound .Values.kafka.triggerTopics | uniq | join "," -}}
{{- end -}}

{{/* Those that can stop a step; the broker's clock counts there. */}}
{{- define "cadence-engine.gate" -}}
message.received,contact.preferences.changed,contact.deleted,company.deleted,enrollment.cancel.requested
{{- end -}}
