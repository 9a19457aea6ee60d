# Completion of algobrain for bash 3.2 and later: source <(algobrain completion bash)
@TABLE@
_algobrain_candidates() {
  # PROGRAM COMMAND VERB … BEGUN
  local program=$1 count=$#
  local begun="${!count}" before="${*:count-1:1}"
  shift
  if (($# == 1)); then
    _algobrain_after ''
  elif [[ $1 == runbook && $2 == run && $# -gt 2 ]]; then
    shift 2
    "$program" runbook complete -- "$@" 2>/dev/null
    if [[ $# -gt 1 && $begun == -* ]]; then
      printf '%s\n' '--json' '--offline'
    fi
  elif [[ $1 == runbook && ( $2 == show || $2 == trust ) && $# -eq 3 && $begun != -* ]]; then
    "$program" runbook complete -- "$begun" 2>/dev/null
  else
    local key=$1
    if (($# > 2)) && _algobrain_after "$1 $2" >/dev/null; then key="$1 $2"; fi
    _algobrain_after "$key $before" || _algobrain_after "$key"
  fi
}
_algobrain() {
  local word line begun prefix='' at last=-1
  local -a words=()
  for ((at = 0; at <= COMP_CWORD; at++)); do
    word=${COMP_WORDS[at]}
    # bash takes --kind=index apart where COMP_WORDBREAKS has "="
    if ((last > 0)) && [[ $word == '=' || ${words[last]} == *= ]]; then
      words[last]+=$word
    else
      words+=("$word")
      last=$((last + 1))
    fi
  done
  begun=${words[last]}
  if [[ $COMP_WORDBREAKS == *=* && $begun == *=* ]]; then prefix="${begun%%=*}="; fi
  words[0]=${words[0]/#\~/$HOME}
  COMPREPLY=()
  while IFS= read -r line; do
    word=${line%%$'\t'*}
    if [[ $word == "$begun"* ]]; then COMPREPLY+=("${word#"$prefix"}"); fi
  done < <(_algobrain_candidates "${words[@]}")
}
complete -o default -F _algobrain algobrain
