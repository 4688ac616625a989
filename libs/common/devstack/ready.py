"""`python -m libs.common.devstack.ready PORT`: exit 0 if a service of this machine is ready; for health checks of
images that hold no curl."""

import sys

from libs.common.devstack.parts import answers

if __name__ == "__main__":
    sys.exit(0 if answers(f"http://127.0.0.1:{int(sys.argv[1])}/healthz/ready") else 1)
