"""What of a home directory no machine sees, and what none may change, unless the user names it."""

from __future__ import annotations

import os
from collections.abc import Mapping

HIDDEN = (  # keys, tokens and passwords, and what is as good as these
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".oci", ".bluemix", ".terraform.d", ".vault-token"),
    *(".config/openstack", ".config/gcloud", ".config/doctl", ".config/hcloud", ".config/gh", ".config/glab-cli"),
    *(".config/rclone", ".config/op", ".config/containers", ".config/sops", ".config/git/credentials"),
    *(".config/helm", ".config/pulumi", ".pulumi", ".config/linode-cli", ".config/scw", ".config/exoscale"),
    *(".netrc", "_netrc", ".git-credentials", ".pgpass", ".my.cnf", ".npmrc", ".yarnrc.yml", ".pypirc"),
    *(".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".m2/settings.xml", ".s3cfg", ".boto"),
    *(".password-store", ".local/share/keyrings", ".local/share/kwalletd", ".pki", ".cert", ".step", ".lima"),
    *(".mozilla", ".thunderbird", ".config/google-chrome", ".config/google-chrome-beta", ".config/chromium"),
    *(".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera", ".config/Signal"),
    *(".var/app", "snap/firefox", "snap/chromium", "snap/thunderbird", ".bash_history", ".zsh_history"),
    *(".Xauthority", ".ICEauthority", ".local/share/docker", ".local/share/containers", ".config/Slack"),
    *("Library/Keychains", "Library/Cookies", "Library/Mail", "Library/Messages", "Library/Safari"),
    *("Library/Application Support", "Library/Containers", "Library/Group Containers"),
)
READ_ONLY = (  # what a login, a shell, git or the desktop runs as the user
    *(".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_logout", ".bash_aliases", ".inputrc"),
    *(".zshenv", ".zprofile", ".zshrc", ".zlogin", ".zlogout", ".oh-my-zsh", ".config/zsh", ".config/fish"),
    *(".cshrc", ".tcshrc", ".login", ".kshrc", ".xprofile", ".xinitrc", ".xsession", ".xsessionrc", ".pam_environment"),
    *(".config/autostart", ".config/systemd", ".config/environment.d", ".config/plasma-workspace"),
    *(".local/share/applications", ".local/share/systemd", ".local/share/dbus-1", ".local/bin", "bin"),
    *(".gitconfig", ".config/git", ".vimrc", ".vim", ".config/nvim", ".emacs", ".emacs.d", ".tmux.conf"),
    *(".forward", ".procmailrc", ".direnvrc", ".config/direnv", "Library/LaunchAgents"),
)


def hidden(home: str, store: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The absolute paths that are never shared with the home directory: `store` is that of this program."""
    found = [os.path.join(home, name) for name in HIDDEN]
    for variable in ("DOCKER_CONFIG", "GNUPGHOME", "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR", "PASSWORD_STORE_DIR"):
        found += [environ[variable]] if environ.get(variable) else []
    for variable in ("KUBECONFIG", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        found += [path for path in environ.get(variable, "").split(os.pathsep) if path]
    return [os.path.abspath(path) for path in (*found, store)]


def read_only(home: str) -> list[str]:
    """The absolute paths that are shared with the home directory and that no machine may change."""
    return [os.path.join(home, name) for name in READ_ONLY]
