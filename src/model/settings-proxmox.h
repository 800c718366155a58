/* SPDX-License-Identifier: Apache-2.0 */
/* The "proxmox" section of /etc/ctrctl/config.json: docs/proxmox.md has the keys. */
#ifndef MODEL_SETTINGS_PROXMOX_H
#define MODEL_SETTINGS_PROXMOX_H

#include "base/arena.h"
#include "base/json.h"
#include "ctrctl/map.h"

/*
 * What may be asked for and not given, when "proxmox.waive" names it. All are off by default; what
 * was waived of a container is in its state.
 */
enum settings_waiver {
	WAIVE_POD_NAMESPACES, /* "pod-namespaces": the guest has its own, though the pod has some */
	WAIVE_KUBELET_MOUNTS, /* "kubelet-mounts": /etc/hosts, /etc/resolv.conf, /etc/hostname, the
				 termination log, service account tokens */
	WAIVE_MOUNTS,         /* "mounts": all host paths */
	WAIVE_USER,           /* "user": run_as_*, supplemental groups */
	WAIVE_CAPABILITIES,   /* "capabilities": what is to be dropped */
	WAIVE_NO_NEW_PRIVS,   /* "no-new-privileges" */
	WAIVE_PROFILES,       /* "profiles": seccomp, AppArmor, SELinux of one's own */
	WAIVE_RESOURCES,      /* "resources": cpusets, huge pages, unified, oom_score_adj, pids */
	WAIVE_LOGS,           /* "logs": log_path gets one line that says where the console is */
	WAIVE_STREAMS,        /* "streams": stdin, tty */
	WAIVE_WORKING_DIR,    /* "working-dir" */
	WAIVE_STOP_SIGNAL,    /* "stop-signal": the guest's own is used */
	WAIVE_DNS_OPTIONS,    /* "dns-options" */
	WAIVE_SYSCTLS,        /* "sysctls" of the pod */
	WAIVE_PORTS,          /* "ports": mappings to the host */
	WAIVE_HOOKS,          /* "hooks" of config.json */
	SETTINGS_WAIVER_N
};
const char *settings_waiver_name(int);

enum { SETTINGS_VMID_MIN = 100, SETTINGS_VMID_MAX = 999999999 };

/* One network interface, eth0. */
struct settings_net {
	const char *bridge;    /* "vmbr0" */
	const char *ip, *gw;   /* "dhcp" (the default), "manual", or an address with its prefix */
	const char *ip6, *gw6; /* NULL: none; "auto", "dhcp", "manual", or an address */
	uint32_t vlan;         /* 0: none */
	uint32_t mtu;          /* 0: the bridge's */
	uint32_t rate;         /* MB/s, 0: none */
	bool firewall;
};

/* "proxmox.images": what an image's name stands for. Numbers: 0 = the section's default. */
struct settings_guest_image {
	const char *template; /* "local:vztmpl/x.tar.zst", or a name to look for; or: */
	const char *oci;      /* "docker.io/library/postgres:16", to be pulled by the node (9.1) */
	const char *url;      /* to be downloaded by the node; with */
	const char *sha512;
	const char *storage;
	uint32_t memory_mib, rootfs_gib, cores;
	const char *bridge;
	/* The image's own, which a server doesn't tell from its command: arguments of a request
	 * that brings no command go behind it. */
	const char **entrypoint;
	size_t n_entrypoint;
};

struct settings_proxmox {
	/* server */
	const char *endpoint; /* "https://HOST[:8006]", without a path */
	const char
		*fingerprint; /* of its certificate, upper case with colons; NULL: the CA decides */
	const char *ca_file;  /* PEM; NULL: the system's */
	const char *token_file;    /* "USER@REALM!ID=SECRET", 0600; or: */
	const char *user;          /* "root@pam", with */
	const char *password_file; /* 0600 */
	bool credential_fd; /* "credential": "fd": neither file, --credential-fd; token unless
			       user is set */
	/* where */
	const char **nodes; /* allowed ones; none: all */
	size_t n_nodes;
	uint32_t vmid_first, vmid_last; /* "vmids": [200000, 299999] */
	const char *storage;            /* of root file systems: "local-lvm" */
	const char **template_storages; /* looked through in this order: "local" */
	size_t n_template_storages;
	const char *pool;       /* NULL: none */
	const char *local_node; /* the node that we run on, so that host paths are the same; NULL:
				   none */
	/* what */
	struct settings_net net;
	uint32_t memory_mib, swap_mib, rootfs_gib, cores; /* 512, 0, 8, 0 = no limit */
	bool nesting, onboot;
	bool pull_aplinfo, pull_oci, pull_url; /* "pull": ["aplinfo", "oci", "url"]; [] = never */
	struct ctr_map_obj images;             /* of struct settings_guest_image */
	bool waive[SETTINGS_WAIVER_N];
	bool privileged_allowed;  /* "allowPrivileged" */
	const char **annotations; /* "allowAnnotations": keys of org.ctrctl.proxmox/ that a pod may
				     bring */
	size_t n_annotations;
	/* deadlines: "timeouts": {"connectSeconds": 5, "callSeconds": 60, "createSeconds": 600,
	 * "pullSeconds": 1800, "startSeconds": 90, "stopSeconds": 60, "destroySeconds": 300,
	 * "graceSeconds": 60, "rebootSeconds": 30} */
	uint32_t connect_s, call_s, create_s, pull_s, start_s, stop_s, destroy_s;
	uint32_t grace_s;  /* of a shutdown that a signal asks for: 60 */
	uint32_t reboot_s; /* one that stopped by itself may run again within that: 30 */
};

/* Defaults of all keys that have one; lists that have a default are filled in by reading. */
void settings_proxmox_init(struct settings_proxmox *);
/* The section, read, checked and completed (the endpoint has its port, the fingerprint is in upper
 * case). ERR_INVALID with the key's place beneath the section. All of it lives in the arena. */
int settings_proxmox_read(const struct json *section, struct arena *,
	const struct settings_proxmox **ret, struct err *) _must_check_;

/* Logs in as root@pam with a password: only that may ask for host paths, devices and features. */
bool settings_proxmox_is_root(const struct settings_proxmox *);

/* Keys of org.ctrctl.proxmox/ that there are ("storage", "net0", ...), ended by NULL. */
extern const char *const settings_proxmox_options[];

/* Names by the server's own rules. */
bool pve_is_node(const char *);
bool pve_is_storage(const char *);
bool pve_is_pool(const char *);
bool pve_is_bridge(const char *);
/* "STORAGE:vztmpl/FILE" */
bool pve_is_template(const char *);

#endif
