# Completion of `unmask` for bash: commands, then a command's options as its help lists them, else files.
_unmask() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} choices
  if ((COMP_CWORD == 1)); then
    choices=$(unmask --help 2>/dev/null | sed -n '/^Subcommands/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
  elif [[ $word == -* ]]; then
    choices=$(unmask "$command" --help 2>/dev/null | grep -oE -- '^  (-[a-z],)?--[a-z0-9-]+' | sed 's/.*--/--/')
  fi
  if [[ -n $choices ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _unmask unmask
