# Completion of chatbot for fish.
function __chatbot_complete
    set -l candidates (chatbot complete -- (commandline -cp) 2>/dev/null)
    if test "$candidates[1]" = ":files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $candidates
    end
end
complete -c chatbot -f -k -a '(__chatbot_complete)'
