"""s3_serve.py FOLDER [PRIVATE] -- moto's S3 server with a bucket `images`, which holds the files of FOLDER for everyone to read, except the
one called PRIVATE; prints its port and serves until its standard input ends."""
import logging
import os
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.disable(logging.CRITICAL)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:%d" % port, region_name="us-east-1", aws_access_key_id="test",
                  aws_secret_access_key="test")
s3.create_bucket(Bucket="images")
for name in sorted(os.listdir(sys.argv[1])):
    with open(os.path.join(sys.argv[1], name), "rb") as f:
        s3.put_object(Bucket="images", Key="screen/" + name, Body=f, ACL="private" if name in sys.argv[2:] else "public-read")
print(port, flush=True)
sys.stdin.read()
server.stop()
