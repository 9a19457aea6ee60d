#compdef algobrain
# Completion of algobrain for zsh, after compinit: source <(algobrain completion zsh)
@TABLE@
_algobrain() {
  local program=${(Q)words[1]} begun before line
  local -a typed candidates
  typed=("${(@Q)words[2,CURRENT]}")
  begun=$typed[-1] before=$words[CURRENT-1]
  local -a lines
  if (($#typed == 1)); then
    lines=("${(@f)$(_algobrain_after '')}")
  elif [[ $typed[1] == runbook && $typed[2] == run && $#typed -gt 2 ]]; then
    lines=("${(@f)$($program runbook complete -- "${(@)typed[3,-1]}" 2>/dev/null)}")
    if [[ $#typed -gt 3 && $begun == -* ]]; then lines+=(--json --offline); fi
  elif [[ $typed[1] == runbook && ($typed[2] == show || $typed[2] == trust) && $#typed -eq 3 && $begun != -* ]]; then
    lines=("${(@f)$($program runbook complete -- "$begun" 2>/dev/null)}")
  else
    local key=$typed[1]
    if (($#typed > 2)) && _algobrain_after "$typed[1] $typed[2]" >/dev/null; then key="$typed[1] $typed[2]"; fi
    lines=("${(@f)$(_algobrain_after "$key $before" || _algobrain_after "$key")}")
  fi
  for line in $lines; do
    candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (($#candidates > 0)); then _describe algobrain candidates; else _files; fi
}
if [[ $funcstack[1] == _algobrain ]]; then _algobrain "$@"; else compdef _algobrain algobrain; fi
