# Completion of algobrain for fish: algobrain completion fish | source
@TABLE@
function __algobrain_candidates
  set -l typed (commandline -opc)
  set -l begun (commandline -ct)
  set -l program $typed[1]
  set -e typed[1]
  set -l count (count $typed)
  if test $count -eq 0
    __algobrain_after ''
  else if test $count -ge 2; and test "$typed[1] $typed[2]" = 'runbook run'
    set -e typed[1..2]
    $program runbook complete -- $typed "$begun" 2>/dev/null
    if test $count -ge 3; and string match -q -- '-*' "$begun"
      printf '%s\n' --json --offline
    end
  else if test $count -eq 2; and contains -- "$typed" 'runbook show' 'runbook trust'; and not string match -q -- '-*' "$begun"
    $program runbook complete -- "$begun" 2>/dev/null
  else
    set -l key $typed[1]
    if test $count -ge 2; and __algobrain_after "$typed[1] $typed[2]" >/dev/null
      set key "$typed[1] $typed[2]"
    end
    __algobrain_after "$key $typed[-1]"; or __algobrain_after "$key"
  end
end
function __algobrain_complete
  set -l found (__algobrain_candidates)
  if test -n "$found"
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c algobrain -f -a '(__algobrain_complete)'
