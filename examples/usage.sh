#!/bin/sh
# What was spent, and what is left, from `chatbot usage --json` with jq:
#   usage.sh [SPAN]        such as 7d or 2026-11-01; 30 days by default
set -eu

chatbot usage --json --by model --since "${1:-30d}" | jq -r '
  def dollars: if . == null then "unknown" else "$\(.)" end;
  "requests this hour: \(.usage.requests_this_hour) of \(.usage.max_requests_per_hour)",
  "today: \(.spans.today.cost | dollars)",
  "this month: \(.spans.this_month.cost | dollars) of \(
    if .budget.per_month then "$\(.budget.per_month)" else "no budget" end)",
  (.totals[] | "\(.model): \(.requests) requests, \(.cost | dollars)"),
  (.performance[] | select(.failed > 0) | "\(.model): \(.failed) of \(.requests) failed")
'
