# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for vfio-bindctl(1)

function __vfio_bindctl_devices
    vfio-bindctl groups --json=short 2>/dev/null | string match -ra '"Address":"[^}]*' |
        string replace -r '^"Address":"([^"]*)".*"Driver":"?([^",]*).*"GroupNumber":(\w+).*' '$1\tgroup $3, $2' |
        string replace 'group null' 'group -' | string replace -r ', null$' ', no driver'
end

function __vfio_bindctl_claims
    vfio-bindctl list --json=short 2>/dev/null | string match -ra '\{"Name":"[^"]*","Driver"' | string split -f4 '"'
end

function __vfio_bindctl_verb
    __fish_seen_subcommand_from $argv
end

# Is there a word after this verb?
function __vfio_bindctl_has_argument
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -gt 2; and test $words[2] = $argv[1]
end

set -l verbs list groups status plan apply explain check suggest doctor bind release wait monitor snapshot import export

complete -c vfio-bindctl -f
complete -c vfio-bindctl -l json -x -a 'pretty short off' -d JSON
complete -c vfio-bindctl -s j -d 'JSON, pretty on a terminal'
complete -c vfio-bindctl -l root -x -a '(__fish_complete_directories)' -d 'Look at a saved tree'
complete -c vfio-bindctl -l no-legend -d 'Without titles and summary'
complete -c vfio-bindctl -l no-ask-password -d 'Do not ask for authentication'
complete -c vfio-bindctl -l no-pager -d Accepted
complete -c vfio-bindctl -s q -l quiet -d 'Only the table, and what went wrong'
complete -c vfio-bindctl -s h -l help -d Help
complete -c vfio-bindctl -l version -d 'The version'

complete -c vfio-bindctl -n "not __fish_seen_subcommand_from $verbs" -a "$verbs"
complete -c vfio-bindctl -n '__vfio_bindctl_verb status explain bind release; or __vfio_bindctl_has_argument suggest' -a '(__vfio_bindctl_devices)' -d Device
complete -c vfio-bindctl -n '__vfio_bindctl_verb apply wait bind release; or __vfio_bindctl_has_argument export' -a '(__vfio_bindctl_claims)' -d Claim
complete -c vfio-bindctl -n '__vfio_bindctl_verb plan' -l next-boot -d 'What the next boot would do'
complete -c vfio-bindctl -n '__vfio_bindctl_verb plan' -l config -r -F -d 'With this file'
complete -c vfio-bindctl -n '__vfio_bindctl_verb plan' -l exit-code -d 'Tell by the exit code'
complete -c vfio-bindctl -n '__vfio_bindctl_verb plan apply' -l prune -d 'Release what is not claimed'
complete -c vfio-bindctl -n '__vfio_bindctl_verb apply' -l dry-run -d 'Only tell'
complete -c vfio-bindctl -n '__vfio_bindctl_verb check' -F
complete -c vfio-bindctl -n '__vfio_bindctl_verb check' -l as -r -F -d 'The file it stands for'
complete -c vfio-bindctl -n '__vfio_bindctl_verb check' -l strict -d 'Warnings are errors'
complete -c vfio-bindctl -n '__vfio_bindctl_verb release' -l all -d Everything
complete -c vfio-bindctl -n '__vfio_bindctl_verb wait' -l for -x -a 'bound released absent settled' -d 'What for'
complete -c vfio-bindctl -n '__vfio_bindctl_verb wait' -l timeout -x -d 'Give up after'
complete -c vfio-bindctl -n '__vfio_bindctl_verb snapshot' -s o -l output -r -F -d 'Where to'
complete -c vfio-bindctl -n '__vfio_bindctl_has_argument import' -F
complete -c vfio-bindctl -n '__vfio_bindctl_verb import; and not __vfio_bindctl_has_argument import' -a 'opennebula one-deploy driverctl kernel libvirt'
complete -c vfio-bindctl -n '__vfio_bindctl_verb export; and not __vfio_bindctl_has_argument export' -a 'libvirt qemu opennebula kubevirt sriov-network-device-plugin prometheus'
