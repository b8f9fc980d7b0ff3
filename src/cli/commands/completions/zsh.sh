#compdef chatbot
# Completion of chatbot for zsh.
_chatbot() {
    local candidate line
    local -a values labels
    line="${(j: :)words[1,CURRENT-1]} $PREFIX"
    while IFS= read -r candidate; do
        if [[ "$candidate" == ":files" ]]; then
            _files
            return
        fi
        values+=("${candidate%%$'\t'*}")
        labels+=("${candidate/$'\t'/  -- }")
    done < <("${words[1]/#\~/$HOME}" complete -- "$line" 2>/dev/null)
    compadd -l -V chatbot -d labels -a values
}
if [ "$funcstack[1]" = "_chatbot" ]; then
    _chatbot "$@"
else
    compdef _chatbot chatbot
fi
