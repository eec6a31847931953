"""The units under a real systemd: one of the test's own, in namespaces, on this machine's files; what it writes is gone with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

import pytest

from tests.require import need
from tests.test_watch import plain
from tests.veth import ROOT, wires
from tests.wire import Talk, mbap, write

pytestmark = pytest.mark.netns
SYSTEMD: Final = Path("/lib/systemd/systemd")
WITHIN_S: Final = 120.0
# What a machine does at its start, and would do to this one.
LEFT_OUT: Final = (
    "systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer systemd-sysctl.service systemd-modules-load.service "
    "systemd-remount-fs.service systemd-udev-trigger.service systemd-random-seed.service systemd-hwdb-update.service systemd-firstboot.service "
    "systemd-journal-flush.service systemd-update-utmp.service systemd-network-generator.service systemd-binfmt.service dev-hugepages.mount "
    "dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount "
    "proc-sys-fs-binfmt_misc.automount console-getty.service getty.target local-fs.target swap.target network-online.target"
)
BOOT: Final = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$ROOM"
root="$ROOM/root" units="$ROOM/root/etc/systemd/system"
mkdir "$ROOM/upper" "$ROOM/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOM/upper,workdir=$ROOM/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/opt"
mount --rbind /dev "$root/dev"
mkdir -p "$root/out" "$root/opt/balefire/bin" "$root/opt/checkout" "$root/opt/site-packages" "$root/opt/python" "$root/etc/balefire" "$root/old"
mount --bind "$OUT" "$root/out"
mount --bind "$CHECKOUT" "$root/opt/checkout"
mount --bind "$PACKAGES" "$root/opt/site-packages"
mount --bind "$PYTHON" "$root/opt/python"
printf '#!/bin/sh\nexec "/opt/python/%s" -m balefire "$@"\n' "$PROGRAM" > "$root/opt/balefire/bin/balefire"
chmod -R 755 "$root/opt/balefire"
touch "$root/etc/balefire/sensor.toml" "$root/etc/balefire/dashboard.toml"
rm -rf "${units:?}"/*
for unit in $LEFT_OUT; do ln -s /dev/null "$units/$unit"; done
: > "$root/etc/fstab"
cp "$CHECKOUT"/deploy/systemd/*.service "$units"
systemd-sysusers --root="$root" "$CHECKOUT/deploy/systemd/sysusers.conf"
for unit in balefire-sensor@ balefire-dashboard; do
    mkdir "$units/$unit.service.d"
    printf '[Service]\nEnvironment=PYTHONPATH=/opt/checkout:/opt/site-packages LD_LIBRARY_PATH=/opt/python/lib NUMBA_DISABLE_JIT=1\nRestartSec=1\n' \
        > "$units/$unit.service.d/test.conf"
done
printf '[Unit]\nRequires=systemd-udevd.service\nAfter=systemd-udevd.service\nSuccessAction=exit-force\nFailureAction=exit-force
[Service]\nType=oneshot\nExecStart=/bin/bash /out/inside.sh\n' > "$units/inside.service"
cd "$root"
pivot_root . old
umount -l /old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin "$SYSTEMD" --system --unit=inside.service --log-target=null --show-status=false
"""
INSIDE: Final = r"""
exec > /out/said 2>&1
until_there() { for _ in $(seq 200); do "$@" > /dev/null 2>&1 && return; sleep 0.2; done; echo "not in time: $*"; return 1; }
heard() { journalctl -b -u balefire-sensor@in0 | grep -q "$1"; }
ASKED='GET /_stcore/health HTTP/1.1\r\nHost: 127.0.0.1:8501\r\nConnection: close\r\n\r\n'
answers() { exec 3<> /dev/tcp/127.0.0.1/8501 && printf "$ASKED" >&3 && grep "HTTP/1.1 200" <&3; }
ip link set lo up
udevadm trigger --subsystem-match=net --action=add
systemctl start balefire-sensor@in0 balefire-dashboard
until_there heard 'Listening on in0'
touch /out/listening
until_there test -e /out/sent
for process in $(cat /sys/fs/cgroup/system.slice/system-balefire*sensor.slice/*/cgroup.procs); do
    echo "process: $(tr '\0' ' ' < /proc/$process/cmdline) $(grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/$process/status | tr -s '\t\n' ' ')"
done
until_there eval '(answers)' && echo 'the dashboard answers'
ip address show in0
systemctl stop balefire-sensor@in0 balefire-dashboard
systemctl show -p Id -p Result -p ExecMainStatus balefire-sensor@in0 balefire-silence@in0 balefire-dashboard
journalctl -b -o cat -u 'balefire-*'
"""


def booted(namespace: str, room: Path, out: Path) -> subprocess.Popen[bytes]:
    """It runs until what is inside has ended."""
    program = Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
    told = {
        "ROOM": room, "OUT": out, "CHECKOUT": ROOT, "PACKAGES": sysconfig.get_path("purelib"), "PYTHON": Path(sys.base_prefix).resolve(),
        "PROGRAM": program, "SYSTEMD": SYSTEMD, "LEFT_OUT": LEFT_OUT,
    }  # fmt: skip
    (out / "inside.sh").write_text(INSIDE, "utf-8")
    words = ("ip", "netns", "exec", namespace, "unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--cgroup", "bash", "-c", BOOT)
    return subprocess.Popen(words, env=os.environ | {name: str(value) for name, value in told.items()}, stderr=subprocess.PIPE)


def test_sensor_and_dashboard_run_as_their_units_have_them(tmp_path: Path) -> None:
    """On an interface that is silent from then on; each with the rights that it needs, and no others."""
    need("netns", os.geteuid() == 0, "namespaces need root")
    if not (SYSTEMD.exists() and shutil.which("systemd-sysusers") and shutil.which("udevadm")):
        pytest.skip("systemd is not installed here")
    room, out = tmp_path / "room", tmp_path / "out"
    for folder in (room, out):
        folder.mkdir()
    acting = plain(tmp_path / "act.pcap", Talk().open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7))))
    with wires() as wire:
        systemd, ear, end = booted(wire.here, room, out), wire.heard(), time.monotonic() + WITHIN_S
        try:
            while not (out / "listening").exists() and systemd.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
            wire.send(acting)
            (out / "sent").touch()
            _, problems = systemd.communicate(timeout=max(end - time.monotonic(), 1))
        finally:
            systemd.kill()
            ear.terminate()
        heard = int(ear.communicate(timeout=20)[0])
    said = (out / "said").read_text("utf-8") if (out / "said").exists() else problems.decode()
    judge, listener = (line for line in said.splitlines() if line.startswith("process: "))
    assert "CapEff: 0000000000000000 CapBnd: 0000000000002000 NoNewPrivs: 1 Seccomp: 2" in judge, said
    assert "CapEff: 0000000000002000 CapBnd: 0000000000002000 NoNewPrivs: 1 Seccomp: 2" in listener, said
    assert "sensors.listening" in listener
    assert (heard, "NOARP" in said, "the dashboard answers" in said) == (0, True, True), said
    assert (said.count("Result=success"), said.count("ExecMainStatus=0")) == (3, 3), said
    assert "in0 · 5 packets" in said, said
