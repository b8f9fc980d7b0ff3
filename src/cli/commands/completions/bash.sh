# Completion of chatbot for bash.
_chatbot() {
    local line="${COMP_LINE:0:COMP_POINT}" word prefix candidate
    word="${line##*[[:space:]]}"
    # Bash replaces only what follows the last = or : of the word.
    prefix="${word%"${word##*[=:]}"}"
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [ "$candidate" = ":files" ]; then
            compopt -o default -o nospace 2>/dev/null
            return
        fi
        candidate="${candidate%%$'\t'*}"
        COMPREPLY+=("${candidate#"$prefix"}")
    done < <("${1/#\~/$HOME}" complete -- "$line" 2>/dev/null)
}
complete -o nosort -F _chatbot chatbot 2>/dev/null || complete -F _chatbot chatbot
