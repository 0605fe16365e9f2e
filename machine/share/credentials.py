"""What of a home directory no machine sees, and what none may change, unless the user names it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

import machine
from machine.share.policy import components_below

HIDDEN = (  # keys, tokens and passwords, and what is as good as these
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".oci", ".bluemix", ".terraform.d", ".vault-token"),
    *(".config/openstack", ".config/gcloud", ".config/doctl", ".config/hcloud", ".config/gh", ".config/glab-cli"),
    *(".config/rclone", ".config/op", ".config/containers", ".config/sops", ".config/git/credentials"),
    *(".config/helm", ".config/pulumi", ".pulumi", ".config/linode-cli", ".config/scw", ".config/exoscale"),
    *(".config/hub", ".config/heroku", ".config/argocd", ".fly", ".config/stripe", ".terraformrc", ".age"),
    *(".config/age", ".netrc", "_netrc", ".git-credentials", ".pgpass", ".my.cnf", ".mylogin.cnf", ".npmrc"),
    *(".yarnrc.yml", ".pypirc", ".pip", ".config/pip", ".config/pypoetry", ".config/composer"),
    *(".composer/auth.json", ".config/NuGet", ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials"),
    *(".bundle/config", ".gradle/gradle.properties", ".m2/settings.xml", ".m2/settings-security.xml", ".s3cfg"),
    *(".boto", ".databrickscfg", ".kaggle", ".config/ngrok", ".claude", ".claude.json", ".codex", ".gemini"),
    *(".cache/huggingface/token", ".huggingface", ".password-store", ".local/share/keyrings"),
    *(".local/share/kwalletd", ".pki", ".cert", ".step", ".config/keepassxc", ".google_authenticator"),
    *(".config/Yubico", ".yubico", ".config/Bitwarden", ".config/1Password", ".lima", ".colima", ".config/colima"),
    *(".rd", ".orbstack", ".vagrant.d", ".minikube", ".crc", "VirtualBox VMs", ".msmtprc", ".mbsyncrc"),
    *(".offlineimaprc", ".fetchmailrc", ".smbcredentials", ".config/filezilla", ".vnc", ".mozilla", ".thunderbird"),
    *(".config/google-chrome", ".config/google-chrome-beta", ".config/chromium", ".config/BraveSoftware"),
    *(".config/microsoft-edge", ".config/vivaldi", ".config/opera", ".config/Signal", ".config/discord"),
    *(".config/Element", ".local/share/evolution", ".config/evolution", ".purple", ".var/app", "snap/firefox"),
    *("snap/chromium", "snap/thunderbird", ".bash_history", ".zsh_history", ".histfile", ".local/share/fish"),
    *(".python_history", ".node_repl_history", ".mysql_history", ".psql_history", ".viminfo", ".Xauthority"),
    *(".ICEauthority", ".local/share/docker", ".local/share/containers", ".config/Slack", "Library/Keychains"),
    *("Library/Cookies", "Library/Mail", "Library/Messages", "Library/Safari", "Library/Application Support"),
    *("Library/Containers", "Library/Group Containers"),
)
READ_ONLY = (  # what a login, a shell, git, an interpreter or the desktop runs, and who may log in
    *(".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_logout", ".bash_aliases", ".inputrc"),
    *(".bashrc.d", ".profile.d", ".bash_completion", ".bash_completion.d", ".local/share/bash-completion"),
    *(".dircolors", ".zshenv", ".zprofile", ".zshrc", ".zlogin", ".zlogout", ".zsh", ".oh-my-zsh", ".config/zsh"),
    *(".config/fish", ".cshrc", ".tcshrc", ".login", ".kshrc", ".xprofile", ".xinitrc", ".xsession", ".xsessionrc"),
    *(".pam_environment", ".config/starship.toml", ".config/powershell", ".rhosts", ".shosts", ".k5login"),
    *(".k5users", ".config/autostart", ".config/autostart-scripts", ".config/systemd", ".config/environment.d"),
    *(".config/plasma-workspace", ".config/sway", ".config/i3", ".i3", ".config/hypr", ".config/awesome"),
    *(".local/share/applications", ".local/share/systemd", ".local/share/dbus-1", ".local/share/gnome-shell"),
    *(".local/bin", "bin", ".local/lib", ".local/share/pipx", ".local/pipx", ".local/share/uv", ".cargo/bin"),
    *("go/bin", ".nvm", ".pyenv", ".rbenv", ".asdf", ".local/share/mise", ".rustup", ".deno", ".bun", ".krew"),
    *(".nix-profile", ".gitconfig", ".config/git", ".hgrc", ".config/hg", ".vimrc", ".vim", ".config/nvim"),
    *(".local/share/nvim", ".emacs", ".emacs.d", ".config/emacs", ".vscode", ".config/Code", ".tmux.conf", ".tmux"),
    *(".config/tmux", ".screenrc", ".gdbinit", ".config/gdb", ".lldbinit", ".psqlrc", ".ipython", ".Rprofile"),
    *(".mailcap", ".cargo/config", ".cargo/config.toml", ".gradle/init.d", ".config/nix", ".ansible.cfg", ".curlrc"),
    *(".wgetrc", ".forward", ".procmailrc", ".direnvrc", ".config/direnv", "Library/LaunchAgents"),
)
_DIRECTORIES = (("XDG_CONFIG_HOME", ".config/"), ("XDG_DATA_HOME", ".local/share/"), ("CARGO_HOME", ".cargo/"))
_LINKED = ("", "machines", "certs", "cache")  # directories of a store in which links to other disks are made
_NO_LOGIN = ("nologin", "false", "sync")


def hidden(home: str, store: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The absolute paths that are never shared with the home directory: `store` is that of this program."""
    found = _named(home, HIDDEN, environ)
    for variable in ("DOCKER_CONFIG", "GNUPGHOME", "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR", "PASSWORD_STORE_DIR"):
        found += [environ[variable]] if environ.get(variable) else []
    files = ("KUBECONFIG", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "GOOGLE_APPLICATION_CREDENTIALS")
    for variable in (*files, "OS_CLIENT_CONFIG_FILE", "NETRC", "NPM_CONFIG_USERCONFIG", "PIP_CONFIG_FILE"):
        found += [path for path in environ.get(variable, "").split(os.pathsep) if path]
    return [os.path.abspath(path) for path in (*found, store, *_links_of(store))]


def read_only(home: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The absolute paths that are shared with the home directory and that no machine may change."""
    return [os.path.abspath(path) for path in (*_named(home, READ_ONLY, environ), *_program())]


def homes(root: str) -> set[str]:
    """The home directories that count when `root` is shared: the user's, and others' that are in it or around it."""
    found = {os.path.expanduser("~")}
    try:
        import pwd  # noqa: PLC0415  # Windows has none, and knows this module for `create`
    except ImportError:
        return found
    for user in pwd.getpwall():
        related = user.pw_dir == root or components_below(root, user.pw_dir) or components_below(user.pw_dir, root)
        if user.pw_uid == os.getuid() or (related and os.path.basename(user.pw_shell) not in _NO_LOGIN):
            found.add(user.pw_dir)
    return {home for home in found if os.path.isabs(home) and os.path.normpath(home) not in ("/", "//")}


def _named(home: str, names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """The paths of these names, where the variables say that they are, too."""
    found = []
    for name in names:
        found.append(os.path.join(home, name))
        for variable, prefix in _DIRECTORIES:
            if environ.get(variable) and name.startswith(prefix):
                found.append(os.path.join(environ[variable], name.removeprefix(prefix)))
    return found


def _links_of(store: str) -> list[str]:
    """Where the links in a store lead: to `machines` on a larger disk, say."""
    found = []
    for name in _LINKED:
        try:
            with os.scandir(os.path.join(store, name)) as listed:
                found += [os.path.realpath(entry.path) for entry in listed if entry.is_symlink()]
        except OSError:
            continue
    return found


def _program() -> list[str]:
    """This program and its interpreter, which the user runs with every command."""
    package = os.path.dirname(os.path.abspath(machine.__file__))
    root = os.path.dirname(package)
    return [root if os.path.isfile(root) else package, os.path.join(root, "certs"), sys.prefix, sys.base_prefix]
